//! Scripts for miltertest, which speaks the milter protocol as an MTA does: every stage aborted, every set of flags in
//! every version, any set of macros.

use std::path::Path;
use std::process::Command;

use super::host::{Gateway, Place};
use super::milter::{ROUTES, malicious};

/// Runs one script; what does not hold is told by it.
fn run(script: &str) {
    if Command::new("miltertest").arg("-V").output().is_err() {
        eprintln!("passed over: needs miltertest (deploy/test installs it)");
        return;
    }
    let place = Place::new();
    let gateway = Gateway::start(&place, ROUTES);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/gateway/miltertest");
    let output = Command::new("miltertest")
        .args(["-s".into(), folder.join("run.lua")])
        .arg("-D")
        .arg(format!("script={script}"))
        .arg("-D")
        .arg(format!("socket=inet:{}@127.0.0.1", gateway.milter))
        .arg("-D")
        .arg(format!("folder={}", folder.display()))
        .arg("-D")
        .arg(format!("mail={}", mail(&place)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let metrics = gateway.get("/metrics").unwrap();
    let sum = |action: &str| -> u64 {
        let name = format!("sekisho_messages_total{{action=\"{action}\",");
        let lines = metrics.lines().filter(|line| line.starts_with(&name));
        let counts = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
        counts.sum()
    };
    let counted = format!("{} tempfail, {} reject\n", sum("tempfail"), sum("reject"));
    assert_eq!(said, counted);
    assert!(
        metrics.contains("sekisho_memory_admitted_bytes 0\n"),
        "{metrics}"
    );
}

/// The malicious mail as a script reads it: the name of that file.
fn mail(place: &Place) -> String {
    let mail = String::from_utf8(malicious("script")).unwrap();
    let (header, body) = mail.split_once("\r\n\r\n").unwrap();
    let body = place.write("body", body);
    let header = header.replace("\r\n ", "\n ").replace("\r\n\t", "\n\t");
    let mut script = format!("body = {:?}\nheaders = {{\n", body.display().to_string());
    for line in header.split("\r\n") {
        let (name, value) = line.split_once(':').unwrap();
        script += &format!("  {{ [==[{name}]==], [==[{}]==] }},\n", value.trim_start());
    }
    script += "}\n";
    place.write("mail.lua", &script).display().to_string()
}

#[test]
fn every_stage_may_be_aborted() {
    run("stages.lua");
}

#[test]
fn every_set_of_flags_in_every_version_is_kept_to() {
    run("flags.lua");
}

#[test]
fn macros_may_be_missing() {
    run("macros.lua");
}
