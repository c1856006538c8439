//! The same harmless program in some forty containers and packings (Debian package clamav-testfiles).

use std::path::Path;

/// Where the package puts them.
pub(crate) const FOLDER: &str = "/usr/share/clamav-testfiles";

/// The program packed, encrypted or compiled into another program: told as a program, not unpacked.
const PACKED: &[&str] = &[
    "clam-aspack.exe",
    "clam-fsg.exe",
    "clam-mew.exe",
    "clam-pespin.exe",
    "clam-petite.exe",
    "clam-upack.exe",
    "clam-upx.exe",
    "clam-wwpack.exe",
    "clam-yc.exe",
    "clam.ea05.exe",
    "clam.ea06.exe",
];

/// Every container that holds the program as it is: its name, what it is told as, and how the program is reached.
#[rustfmt::skip]
pub(crate) const HOLDING: &[(&str, &str, &str)] = &[
    ("clam-nsis.exe", "pe", "installer-file"),
    ("clam.7z", "7z", "7z-member"),
    ("clam.arj", "arj", "arj-member"),
    ("clam.bin-be.cpio", "cpio", "cpio-member"),
    ("clam.bin-le.cpio", "cpio", "cpio-member"),
    ("clam.bz2.zip", "zip", "zip-member"),
    ("clam.cab", "cab", "cab-member"),
    ("clam.chm", "chm", "chm-member"),
    ("clam.d64.zip", "zip", "zip-member"),
    ("clam.exe.binhex", "binhex", "binhex"),
    ("clam.exe.bz2", "bz2", "bzip2"),
    ("clam.exe.html", "html", "decoded-text"),
    ("clam.exe.mbox.base64", "eml", "mime-part"),
    ("clam.exe.mbox.uu", "eml", "mime-part"),
    ("clam.exe.rtf", "rtf", "ole-package"),
    ("clam.exe.szdd", "szdd", "szdd"),
    ("clam.impl.zip", "zip", "zip-member"),
    ("clam.mail", "eml", "mime-part"),
    ("clam.newc.cpio", "cpio", "cpio-member"),
    ("clam.odc.cpio", "cpio", "cpio-member"),
    ("clam.ole.doc", "doc", "ole-package"),
    ("clam.pdf", "pdf", "pdf-embedded-file"),
    ("clam.ppt", "ppt", "ole-package"),
    ("clam.sis", "sis", "sis-member"),
    ("clam.tar.gz", "gz", "tar-member"),
    ("clam.tnef", "tnef", "tnef-attachment"),
    ("clam.zip", "zip", "zip-member"),
    ("clam_IScab_ext.exe", "pe", "installer-file"),
    ("clam_IScab_int.exe", "pe", "installer-file"),
    ("clam_ISmsi_ext.exe", "pe", "installer-file"),
    ("clam_ISmsi_int.exe", "pe", "cab-member"),
    ("clam_cache_emax.tgz", "gz", "tar-member"),
];

#[test]
fn the_program_is_found_in_every_container() {
    let folder = Path::new(FOLDER);
    let Ok(program) = std::fs::read(folder.join("clam.exe")) else {
        eprintln!("skipped: {FOLDER} is not there; install the package clamav-testfiles");
        return;
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut known: Vec<&str> = HOLDING
        .iter()
        .map(|row| row.0)
        .chain(PACKED.iter().copied())
        .collect();
    known.push("clam.exe");
    known.sort_unstable();
    assert_eq!(names, known, "what the package holds");
    let engine = crate::bench::engine();
    let mut worker = sekisho::engine::Worker::new(&engine);
    let mut wrong = Vec::new();
    for name in names {
        let report = crate::bench::scan(
            &mut worker,
            &name,
            std::fs::read(folder.join(&name)).unwrap(),
        );
        let root = &report.artifacts[0];
        let told = report
            .findings
            .iter()
            .any(|one| one.id == "executable" && one.artifact == root.id);
        let holds = match HOLDING.iter().find(|row| row.0 == name) {
            Some((_, kind, via)) => {
                root.kind.as_str() == *kind
                    && report.artifacts.iter().any(|one| {
                        one.via == Some(via) && one.kind.as_str() == "pe" && one.data == program
                    })
            }
            None => root.kind.as_str() == "pe" && told,
        };
        if !holds {
            let shown: Vec<_> = report
                .artifacts
                .iter()
                .map(|one| (one.via, one.kind.as_str(), one.label().to_owned()))
                .collect();
            wrong.push(format!("{name}: {shown:?}"));
        }
    }
    assert!(wrong.is_empty(), "not as expected: {wrong:#?}");
}
