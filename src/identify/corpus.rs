//! Real files against their labels; skipped, with a word, where they are not there.

use std::collections::BTreeMap;
use std::path::Path;

use crate::limits::{Budget, Limits};
use crate::model::Kind;

use super::identify;

/// What a label's format is here; `None` where any answer is right.
fn expected(format: &str) -> Option<&'static [Kind]> {
    Some(match format {
        "pdf" => &[Kind::Pdf],
        "zip" => &[Kind::Zip, Kind::Jar, Kind::Xps, Kind::Epub],
        "rar" => &[Kind::Rar],
        "7z" => &[Kind::SevenZip],
        "tnef" => &[Kind::Tnef],
        "lnk" => &[Kind::Lnk],
        "lha" => &[Kind::Lzh],
        "rtf" => &[Kind::Rtf],
        "bz2" => &[Kind::Bz2],
        "one" => &[Kind::One],
        "onetoc2" => &[Kind::Onetoc2],
        "elf" => &[Kind::Elf],
        "exe" => &[Kind::Pe],
        "tar" => &[Kind::Tar],
        "cab" => &[Kind::Cab],
        "slk" => &[Kind::Sylk],
        "pst" => &[Kind::Pst],
        "gz" => &[Kind::Gz],
        "excel2003xml" => &[Kind::Excel2003Xml],
        "chm" => &[Kind::Chm],
        "docx" => &[Kind::Docx],
        "xlsx" => &[Kind::Xlsx],
        "pptx" => &[Kind::Pptx],
        "docm" => &[Kind::Docm],
        "xlsm" => &[Kind::Xlsm],
        "pptm" => &[Kind::Pptm],
        "ppsm" => &[Kind::Ppsm],
        "xltm" => &[Kind::Xltm],
        "xlsb" => &[Kind::Xlsb],
        "vsdx" => &[Kind::Vsdx],
        "odf" => &[
            Kind::Odt,
            Kind::Ods,
            Kind::Odp,
            Kind::Odg,
            Kind::Odf,
            Kind::Ott,
            Kind::Ots,
        ],
        _ => return None,
    })
}

#[test]
fn real_files_are_what_their_labels_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let Ok(labels) = std::fs::read_to_string(folder.join("labels.tsv")) else {
        println!("skipped: no shared test data");
        return;
    };
    let mut wrong = Vec::new();
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let mut agreed = 0usize;
    let mut times: BTreeMap<&str, (usize, usize, std::time::Duration)> = BTreeMap::new();
    let started = std::time::Instant::now();
    crate::knowledge::scripts();
    println!("features built in {:?}", started.elapsed());
    for line in labels.lines().skip(1) {
        let mut fields = line.split('\t');
        let (Some(file), Some(format)) = (fields.next(), fields.next()) else {
            continue;
        };
        let data = std::fs::read(folder.join(file)).unwrap();
        let budget = Budget::new(Limits::default(), None);
        let started = std::time::Instant::now();
        let identity = identify(&data, &budget);
        let taken = started.elapsed();
        let (count, bytes, total) = times.entry(identity.kind.as_str()).or_default();
        *count += 1;
        *bytes += data.len();
        *total += taken;
        match expected(format) {
            Some(kinds) if kinds.contains(&identity.kind) => agreed += 1,
            Some(_) => wrong.push(format!("{file}: {format}, here {}", identity.kind)),
            None => {
                *others
                    .entry(format!("{format} -> {}", identity.kind))
                    .or_default() += 1;
            }
        }
    }
    for (kind, (count, bytes, total)) in times {
        println!("{kind}: {count} files of {bytes} bytes in {total:?}");
    }
    println!("{agreed} agree\nnot compared: {others:#?}\nwrong: {wrong:#?}");
    assert!(agreed >= 317 && wrong.len() <= 3, "{wrong:#?}");
}
