//! Signatures of macro projects in packages: a part beside the project, which signs the digest of it.
//!
//! Which project a part belongs to is told by that digest alone: a part that signs another project signs nothing here.

use std::collections::BTreeMap;

use crate::formats::ovba;
use crate::model::{Artifact, Fact, Id, Kind};

/// Signatures that are looked into in one input: each costs a few operations on large numbers.
const SIGNATURES: usize = 64;

/// Tells of each macro project who signed it, where a part beside it says so and holds.
pub fn signers(tree: &mut [Artifact]) {
    let content = |artifact: &Artifact| {
        artifact.facts.iter().find_map(|fact| match fact {
            Fact::VbaContent { md5 } => Some(*md5),
            _ => None,
        })
    };
    let packages: std::collections::BTreeSet<Id> = tree
        .iter()
        .filter(|artifact| content(artifact).is_some())
        .filter_map(|artifact| artifact.parent)
        .collect();
    let mut signed: BTreeMap<(Id, [u8; 16]), [u8; 32]> = BTreeMap::new();
    let parts = tree
        .iter()
        .filter(|artifact| artifact.kind == Kind::Data && ovba::is_signature(&artifact.data));
    let beside = parts.filter_map(|artifact| {
        let package = artifact.parent.filter(|parent| packages.contains(parent))?;
        Some((package, artifact))
    });
    for (package, artifact) in beside.take(SIGNATURES) {
        if let Some(signature) = ovba::read_signature(&artifact.data) {
            let key = (package, signature.content);
            signed.entry(key).or_insert(signature.signer);
        }
    }
    for artifact in tree.iter_mut() {
        let signer = content(artifact)
            .zip(artifact.parent)
            .and_then(|(md5, package)| signed.get(&(package, md5)));
        if let Some(signer) = signer {
            artifact.facts.push(Fact::VbaSigner { sha256: *signer });
        }
    }
}
