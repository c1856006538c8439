//! `sekisho serve` by itself: reload, stop, health, connections that are not of this protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::host::{Gateway, Place, until};

#[test]
fn a_reload_that_does_not_hold_is_refused_with_its_line_and_what_runs_stays() {
    let place = Place::new();
    let gateway = Gateway::start(&place, "");
    let config = place.0.join("sekisho.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let reloads = |text: &str, expected: &str| {
        std::fs::write(&config, text).unwrap();
        gateway.signal("HUP");
        until(expected, || gateway.log().contains(expected));
        assert!(gateway.get("/readyz").unwrap().contains("200 OK"));
    };
    reloads(
        &format!("{good}\n[scan]\ntimeot = 1\n"),
        "unknown setting `timeot`",
    );
    assert!(
        gateway.log().contains("sekisho.toml:9"),
        "{}",
        gateway.log()
    );
    let rules = format!("{good}\n[rules]\npaths = [\"own.yar\"]\n");
    place.write("own.yar", "rule broken {\n condition: nosuch\n}\n");
    reloads(&rules, "own.yar:2");
    place.write("own.yar", "rule everything { condition: true }\n");
    reloads(
        &rules,
        "a harmless mail (plain) is suspicious by yara:everything",
    );
    // The check says so beforehand, and what to do.
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["config", "check"])
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert_eq!(check.status.code(), Some(1), "{said}");
    assert!(
        said.contains("is suspicious by yara:everything\n") && said.contains("hint: "),
        "{said}"
    );
    place.write("own.yar", "rule nothing { condition: false }\n");
    reloads(&rules, " reloaded ");
    let metrics = gateway.get("/metrics").unwrap();
    assert!(metrics.contains("sekisho_reloads_total 1\n"), "{metrics}");
    assert!(metrics.contains("sekisho_reloads_refused_total 3\n"));
}

#[test]
fn connections_of_another_protocol_end_and_the_server_goes_on() {
    let place = Place::new();
    let gateway = Gateway::start(&place, "");
    for hostile in [
        b"GET / HTTP/1.0\r\n\r\n".as_slice(),
        &[0; 64],
        &[0xff; 64],
        b"\0\0\0\x01E",
        b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff\0\0\0\x01!",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.milter)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let _ = stream.write_all(hostile);
        // The end, or a reset of it: not silence.
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        assert!(ended.is_ok_and(|len| len < 100) || answer.is_empty());
    }
    assert!(gateway.get("/healthz").unwrap().contains("200 OK"));
    assert!(gateway.get("/nosuch").unwrap().contains("404 Not Found"));
}

#[test]
fn a_stop_ends_the_program_in_order() {
    let place = Place::new();
    let mut gateway = Gateway::start(&place, "[log]\nformat = \"json\"\n");
    gateway.signal("TERM");
    let status = gateway.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    let log = gateway.log();
    assert!(log.lines().all(|line| line.starts_with('{')), "{log}");
}

#[test]
fn an_address_in_use_is_said_at_the_start() {
    let place = Place::new();
    let gateway = Gateway::start(&place, "");
    let config = place.0.join("sekisho.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .arg("-c")
        .arg(&config)
        .arg("serve")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!("milter: cannot listen on 127.0.0.1:{}", gateway.milter);
    assert!(
        output.status.code() == Some(2)
            && said.contains(&expected)
            && said.contains("hint: `ss -ltnp`"),
        "{said}"
    );
}

#[test]
fn the_sample_configuration_holds_and_starts_dry() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/sekisho.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(["-c", sample, "config", "show"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(
        shown.contains("dry_run = true") && shown.contains("[milter]"),
        "{shown}"
    );
}
