//! The same harmless program in some forty containers and packings (Debian package clamav-testfiles).

use std::path::Path;
use std::process::Command;

use crate::support::Folder;

/// Where the package puts them.
const FOLDER: &str = "/usr/share/clamav-testfiles";

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
    "clam_IScab_int.exe",
    "clam_ISmsi_ext.exe",
    "clam_ISmsi_int.exe",
];

#[test]
fn the_program_is_found_in_every_container() {
    let folder = Path::new(FOLDER);
    let Ok(program) = std::fs::read(folder.join("clam.exe")) else {
        eprintln!("skipped: {FOLDER} is not there; install the package clamav-testfiles");
        return;
    };
    // The name of its section and what follows stand nowhere else.
    let code: Vec<String> = program[0x1f8..0x220]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let rules = Folder::new();
    let rule = format!(
        "rule program {{ strings: $code = {{ {} }} condition: $code }}",
        code.join(" ")
    );
    let rule_file = rules.file("program.yar", rule);
    let output = Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["scan", "--format", "json", "--no-default-rules", "--rules"])
        .arg(&rule_file)
        .arg(folder)
        .output()
        .unwrap();
    let reports: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = Vec::new();
    for report in reports.as_array().unwrap() {
        let path = Path::new(report["path"].as_str().unwrap());
        let name = path.file_name().unwrap().to_str().unwrap();
        let findings = report["findings"].as_array().unwrap();
        let found = |id: &str| findings.iter().any(|finding| finding["id"] == id);
        let holds = if PACKED.contains(&name) {
            found("executable")
        } else {
            found("yara:program")
        };
        if !holds {
            wrong.push(name.to_owned());
        }
    }
    assert!(wrong.is_empty(), "not as expected: {wrong:?}");
    assert!(reports.as_array().unwrap().len() > 40);
}
