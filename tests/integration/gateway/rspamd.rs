//! rspamd in a folder of its own, on loopback ports, with the samples of `deploy/rspamd` pointed at the gateway.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::host::{Gateway, Place, free_port, until};
use crate::build;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/samples");
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/rspamd");

/// A running rspamd, stopped when dropped.
struct Rspamd {
    child: Child,
    port: u16,
    place: Place,
}

impl Rspamd {
    /// Starts one that asks at these ports; none where it is not installed or we are not root.
    fn start(clamd: u16, olefy: u16) -> Option<Self> {
        let root = Command::new("id").arg("-u").output().ok()?.stdout == b"0\n";
        if !root || !Path::new("/usr/bin/rspamd").exists() {
            eprintln!("passed over: needs rspamd and root (deploy/test installs it)");
            return None;
        }
        let (place, port) = (Place::new(), free_port());
        let dir = place.0.display();
        let sample = |name: &str, from: &str, to: u16| {
            let text = std::fs::read_to_string(format!("{DEPLOY}/{name}")).unwrap();
            assert!(text.contains(from), "{name}");
            // With a reject, rspamd does not ask the second one any more.
            let text = text.replace(from, &format!("127.0.0.1:{to}"));
            place.write(name, &text.replace("  action = \"reject\";\n", ""));
        };
        sample("antivirus.conf", "127.0.0.1:3310", clamd);
        sample("external_services.conf", "127.0.0.1:10050", olefy);
        let config = format!(
            "options {{\n pidfile = \"{dir}/pid\"; tempdir = \"{dir}\"; hs_cache_dir = \"{dir}/\"; filters = \"\";\n\
             url_tld = \"/usr/share/rspamd/effective_tld_names.dat\"; task_timeout = 60s;\n\
             dns {{ nameserver = [\"127.0.0.1:1\"]; timeout = 0.1s; retransmits = 1; }}\n\
             control_socket = \"{dir}/control.sock mode=0600\";\n}}\n\
             logging {{ type = \"file\"; filename = \"{dir}/log\"; level = \"info\"; }}\n\
             worker \"normal\" {{ bind_socket = \"127.0.0.1:{port}\"; count = 1; }}\n\
             modules {{ path = \"/usr/share/rspamd/plugins/antivirus.lua\"; path = \"/usr/share/rspamd/plugins/external_services.lua\"; }}\n\
             metric {{ name = \"default\"; actions {{ reject = 15; }} }}\n\
             antivirus {{ .include \"{dir}/antivirus.conf\" }}\n\
             external_services {{ .include \"{dir}/external_services.conf\" }}\n"
        );
        let config = place.write("rspamd.conf", &config);
        // It gives up root, and writes here then.
        let owned = Command::new("chown").arg("_rspamd").arg(&place.0).status();
        assert!(owned.unwrap().success());
        let child = Command::new("/usr/bin/rspamd")
            .args(["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let rspamd = Self { child, port, place };
        until("rspamd answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(rspamd)
    }

    /// The symbols of a mail, with their options.
    fn symbols(&self, mail: &[u8]) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(90)))
            .unwrap();
        let head = format!(
            "POST /checkv2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
            mail.len()
        );
        stream.write_all(&[head.as_bytes(), mail].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let answer: Value = serde_json::from_str(body).unwrap_or_else(|error| {
            panic!("{error}: {answer}");
        });
        answer["symbols"].clone()
    }

    fn log(&self) -> String {
        let log = std::fs::read(self.place.0.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.child.wait();
    }
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{SAMPLES}/{name}")).unwrap()
}

fn option(symbols: &Value, symbol: &str) -> String {
    let options = &symbols[symbol]["options"];
    options[0].as_str().unwrap_or_default().to_owned()
}

#[test]
fn rspamd_asks_us_as_it_asks_clamd_and_olefy() {
    let place = Place::new();
    let (clamd, olefy) = (free_port(), free_port());
    let more = format!(
        "[clamd]\nlisten = \"127.0.0.1:{clamd}\"\n[olefy]\nlisten = \"127.0.0.1:{olefy}\"\n\
         [[route]]\nname = \"filters\"\nlistener = [\"clamd\"]\n[route.actions]\nmacros = \"hold\"\n"
    );
    let gateway = Gateway::start(&place, &more);
    let Some(rspamd) = Rspamd::start(clamd, olefy) else {
        return;
    };
    // What acts: by name at the one port, by keywords at the other.
    let symbols = rspamd.symbols(&sample("invoice-with-macro.eml"));
    assert_eq!(option(&symbols, "SEKISHO"), "Sekisho.autostart-with-call");
    let told = option(&symbols, "OLETOOLS");
    assert!(told.starts_with("AutoExec + Suspicious ("), "{symbols}");
    assert!(told.contains("AutoOpen"), "{told}");
    // What is locked, and what merely has a macro, under the names that rspamd sorts by.
    let symbols = rspamd.symbols(&sample("locked-contract.eml"));
    let locked = option(&symbols, "SEKISHO_ENCRYPTED");
    assert!(locked.contains("Heuristics.Encrypted.Zip"), "{symbols}");
    assert!(symbols["OLETOOLS_ENCRYPTED"].is_object(), "{symbols}");
    let code = "Sub Total()\nCells(1, 1).Value = 1\nEnd Sub\n";
    let docm = build::docm("text", &[("M", build::module("M", code))]);
    let headers = "Content-Type: application/vnd.ms-word.document.macroEnabled.12; name=a.docm\nContent-Disposition: attachment; filename=a.docm\nContent-Transfer-Encoding: base64";
    let mail = build::mail("Sums", &[build::attachment(headers, &docm)]);
    let symbols = rspamd.symbols(&mail);
    let contains = option(&symbols, "SEKISHO_MACRO");
    assert_eq!(contains, "Heuristics.OLE2.ContainsMacros.VBA", "{symbols}");
    assert!(symbols["OLETOOLS"].is_null(), "{symbols}");
    // What could not be looked through is a failure there, not clean.
    let mut cut = build::docx("A text that is long enough to be cut.");
    cut.truncate(cut.len() / 2);
    let mail = build::mail("Cut", &[build::attachment(headers, &cut)]);
    let symbols = rspamd.symbols(&mail);
    assert!(symbols["OLETOOLS_FAIL"].is_object(), "{symbols}");
    assert_eq!(option(&symbols, "SEKISHO"), "Sekisho.malformed-container");
    // What is clean has none.
    let symbols = rspamd.symbols(&sample("meeting-notes.eml"));
    assert!(symbols.as_object().unwrap().is_empty(), "{symbols}");
    // Our trouble is a failure too: nobody answers.
    drop(gateway);
    let symbols = rspamd.symbols(&sample("meeting-notes.eml"));
    let failed = symbols["SEKISHO_FAIL"].is_object() && symbols["OLETOOLS_FAIL"].is_object();
    assert!(failed, "{symbols}\n{}", rspamd.log());
}
