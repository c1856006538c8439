//! ClamAV's own client against us.

use std::path::Path;
use std::process::Command;

use super::clamd::Server;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/samples");

/// Exit status and the lines that say something of a file; none where the client is not installed.
fn clamdscan(server: &Server, options: &[&str], file: &str) -> Option<(i32, Vec<String>)> {
    if !Path::new("/usr/bin/clamdscan").exists() {
        eprintln!("passed over: needs clamdscan (deploy/test installs it)");
        return None;
    }
    let config = format!("LocalSocket {}\n", server.socket.display());
    let config = server.place.write("clamd.conf", &config);
    let output = Command::new("/usr/bin/clamdscan")
        .arg("--config-file")
        .arg(config)
        .arg("--no-summary")
        .args(options)
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.replace("/./", "/"))
        .collect();
    lines.sort();
    Some((output.status.code().unwrap(), lines))
}

#[test]
fn clamdscan_gets_the_same_answers_however_it_hands_files_over() {
    let server = Server::start("");
    let expected = [
        format!("{SAMPLES}/invoice-with-macro.eml: Sekisho.autostart-with-call FOUND"),
        format!("{SAMPLES}/locked-contract.eml: Heuristics.Encrypted.Zip FOUND"),
    ];
    for options in [
        &[][..],
        &["--fdpass"],
        &["--stream"],
        &["--multiscan"],
        &["--fdpass", "--multiscan"],
        &["--stream", "--multiscan"],
    ] {
        let Some((code, lines)) = clamdscan(&server, options, SAMPLES) else {
            return;
        };
        assert_eq!((code, &lines[..]), (1, &expected[..]), "{options:?}");
    }
    let clean = format!("{SAMPLES}/price-list.xlsx");
    for options in [&[][..], &["--fdpass"], &["--stream"]] {
        let said = clamdscan(&server, options, &clean).unwrap();
        assert_eq!(said, (0, vec![format!("{clean}: OK")]), "{options:?}");
    }
    // Not ours to read by path, but it may be handed over.
    let (code, lines) = clamdscan(&server, &[], "/etc/passwd").unwrap();
    assert!(
        code == 2 && lines.iter().all(|line| !line.ends_with("OK")),
        "{lines:?}"
    );
    assert_eq!(
        clamdscan(&server, &["--fdpass"], "/etc/passwd").unwrap().0,
        0
    );
    let (_, version) = clamdscan(&server, &["--version"], SAMPLES).unwrap();
    assert!(version[0].starts_with("sekisho "), "{version:?}");
}
