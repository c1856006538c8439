//! Signatures of macro projects in packages: parts beside the project, which sign the digest of it.
//!
//! Which project a part belongs to is told by that digest alone. Office writes up to three parts, each a kind of its own,
//! and an older one leaves open what a newer one covers: in a package where any of them does not hold, or signs nothing
//! in it, or is somebody else's, nothing counts as signed.

use std::collections::BTreeMap;

use crate::formats::ovba::{self, Contents, Signature};
use crate::model::{Artifact, Fact, Id};

/// Signatures that are looked into in one input: each costs a few operations on large numbers.
const SIGNATURES: usize = 64;

/// Tells of each macro project who signed it, where the parts beside it say so and hold.
pub fn signers(tree: &mut [Artifact]) {
    let mut packages: BTreeMap<Id, Package> = BTreeMap::new();
    for artifact in tree.iter() {
        if let (Some(project), Some(parent)) = (contents(artifact), artifact.parent) {
            packages.entry(parent).or_default().projects.push(project);
        }
    }
    let mut tried = 0usize;
    for artifact in tree.iter().filter(|artifact| is_signature(artifact)) {
        let package = artifact.parent.and_then(|parent| packages.get_mut(&parent));
        let Some(package) = package else { continue };
        tried = tried.saturating_add(1);
        let read = (tried <= SIGNATURES).then(|| ovba::read_signature(&artifact.data));
        package.signatures.push(read.flatten());
    }
    for artifact in tree.iter_mut() {
        let signer = contents(artifact)
            .zip(artifact.parent.and_then(|parent| packages.get(&parent)))
            .and_then(|(project, package)| package.signer(&project));
        if let Some(sha256) = signer {
            artifact.facts.push(Fact::VbaSigner { sha256 });
        }
    }
}

/// Projects of a package, and the signatures in it; none for one that does not hold.
#[derive(Default)]
struct Package {
    projects: Vec<Contents>,
    signatures: Vec<Option<Signature>>,
}

impl Package {
    /// Who signed a project of it.
    fn signer(&self, project: &Contents) -> Option<[u8; 32]> {
        let mut signer = None;
        for signature in &self.signatures {
            let signature = signature.as_ref()?;
            let content = &signature.content;
            self.projects
                .iter()
                .find(|project| content.is_of(project))?;
            if !content.is_of(project) {
                continue;
            }
            if signer.is_some_and(|signer| signer != signature.signer) {
                return None;
            }
            signer = Some(signature.signer);
        }
        signer
    }
}

fn contents(artifact: &Artifact) -> Option<Contents> {
    artifact.facts.iter().find_map(|fact| match fact {
        Fact::VbaContent { legacy, newer } => Some(Contents {
            legacy: *legacy,
            newer: newer.clone(),
        }),
        _ => None,
    })
}

/// Whether a part is a signature, or is called one.
fn is_signature(artifact: &Artifact) -> bool {
    const NAME: &[u8] = b"vbaprojectsignature";
    let name = artifact.label().rsplit('/').next().unwrap_or_default();
    let start = name.as_bytes().get(..NAME.len());
    ovba::is_signature(&artifact.data)
        || start.is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}
