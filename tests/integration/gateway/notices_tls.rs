//! Notices and released messages by a server that asks for TLS and a login.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::host::{Gateway, Place, send, until};
use super::milter::malicious;
use super::relay_tls::certificate;

/// What the server is told; `TLS` where it begins.
type Seen = Arc<Mutex<Vec<String>>>;

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Asked,
    AtOnce,
}

/// A server that takes mail by TLS only, from who knows the password "pass word" only, by `mechanisms`.
fn server(place: &Path, tls: Tls, mechanisms: &'static str) -> (u16, Seen) {
    let chain = CertificateDer::pem_file_iter(place.join("cert.pem")).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(place.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(stream, &config, tls, mechanisms, &all);
        }
    });
    (port, seen)
}

fn serve(
    mut stream: TcpStream,
    config: &Arc<ServerConfig>,
    tls: Tls,
    mechanisms: &str,
    seen: &Seen,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    if tls == Tls::Asked {
        in_clear(&mut stream, seen)?;
    }
    seen.lock().unwrap().push("TLS".to_owned());
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    if tls == Tls::AtOnce {
        stream.write_all(b"220 mail.test\r\n")?;
        stream.flush()?;
    }
    let mut known = false;
    loop {
        let said = line(&mut stream, seen)?;
        let words: Vec<&str> = said.split(' ').collect();
        let answer = match words[..] {
            ["EHLO", _] => format!("250-mail.test\r\n250 AUTH {mechanisms}"),
            ["AUTH", "PLAIN", secret] => {
                // NUL, gate, NUL, pass word.
                known = secret == "AGdhdGUAcGFzcyB3b3Jk";
                told(known)
            }
            ["AUTH", "LOGIN"] => {
                stream.write_all(b"334 VXNlcm5hbWU6\r\n")?;
                let user = line(&mut stream, seen)?;
                stream.write_all(b"334 UGFzc3dvcmQ6\r\n")?;
                known = user == "Z2F0ZQ==" && line(&mut stream, seen)? == "cGFzcyB3b3Jk";
                told(known)
            }
            _ if !known => "530 5.7.0 who are you".to_owned(),
            ["DATA"] => {
                stream.write_all(b"354 go\r\n")?;
                while line(&mut stream, seen)? != "." {}
                "250 2.0.0 taken".to_owned()
            }
            ["QUIT"] => return Ok(()),
            _ => "250 2.0.0 ok".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes())?;
        stream.flush()?;
    }
}

/// Until it is asked for TLS.
fn in_clear(stream: &mut TcpStream, seen: &Seen) -> std::io::Result<()> {
    stream.write_all(b"220 mail.test\r\n")?;
    loop {
        let said = line(stream, seen)?;
        match said.split(' ').next().unwrap_or_default() {
            "EHLO" => stream.write_all(b"250-mail.test\r\n250 STARTTLS\r\n")?,
            "STARTTLS" => return stream.write_all(b"220 go\r\n"),
            _ => stream.write_all(b"530 5.7.0 TLS first\r\n")?,
        }
    }
}

fn told(known: bool) -> String {
    match known {
        true => "235 2.7.0 welcome",
        false => "535 5.7.8 wrong",
    }
    .to_owned()
}

fn line(stream: &mut impl Read, seen: &Seen) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    let line = String::from_utf8_lossy(&line).trim_end().to_owned();
    seen.lock().unwrap().push(line.clone());
    Ok(line)
}

/// A gateway that has something to tell by this server.
fn gateway(place: &Place, server: &str, password: &str) -> Gateway {
    place.write("password", password);
    let notify = format!(
        "[notify]\nfrom = \"gate@hq.test\"\nsmtp = \"{server}\"\nstarttls = \"verify\"\nca = \"cert.pem\"\n\
         user = \"gate\"\npassword = \"password\"\nadmins = [\"admin@hq.test\"]\nrecipients = false\n"
    );
    let relay = super::host::free_port();
    let hop = super::hop::Hop::start();
    let table = format!(
        "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{}\"\n{notify}",
        hop.port
    );
    let gateway = Gateway::start(place, &table);
    // Whatever was there before the first look is old news.
    until("it looked at the store", || {
        gateway.log().contains("listening")
    });
    std::thread::sleep(Duration::from_millis(1500));
    let said = send(relay, &["a@hq.test"], &malicious("told")).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    gateway
}

#[test]
fn notices_go_by_tls_with_a_login() {
    for (tls, mechanisms) in [
        (Tls::Asked, "LOGIN PLAIN"),
        (Tls::Asked, "LOGIN"),
        (Tls::AtOnce, "PLAIN"),
    ] {
        let place = Place::new();
        let Some(()) = certificate(&place) else {
            return;
        };
        let (port, seen) = server(&place.0, tls, mechanisms);
        let prefix = if tls == Tls::AtOnce { "smtps:" } else { "" };
        let gateway = gateway(&place, &format!("{prefix}127.0.0.1:{port}"), "pass word\n");
        until("the notice arrives", || {
            gateway.log().contains("notice sent")
        });
        let seen = seen.lock().unwrap().clone();
        let tls = seen.iter().position(|line| line == "TLS").unwrap();
        match prefix {
            "" => assert_eq!(&seen[..tls], ["EHLO localhost", "STARTTLS"]),
            _ => assert!(seen[..tls].is_empty()),
        }
        assert!(
            seen.contains(&"RCPT TO:<admin@hq.test>".to_owned()),
            "{seen:?}"
        );
        assert!(seen.contains(&"Auto-Submitted: auto-generated".to_owned()));
    }
}

#[test]
fn a_login_or_a_certificate_that_is_not_believed_is_told_and_the_notice_waits() {
    let place = Place::new();
    let Some(()) = certificate(&place) else {
        return;
    };
    let (port, _) = server(&place.0, Tls::Asked, "PLAIN");
    let running = gateway(&place, &format!("127.0.0.1:{port}"), "wrong");
    until("it waits", || running.log().contains("notice waits"));
    let log = running.log();
    assert!(
        log.contains("cannot log in as gate: 535 5.7.8 wrong"),
        "{log}"
    );
    drop(running);

    // Somebody else on the way.
    let (other, place) = (place, Place::new());
    certificate(&place).unwrap();
    let (port, seen) = server(&other.0, Tls::AtOnce, "PLAIN");
    let gateway = gateway(&place, &format!("smtps:127.0.0.1:{port}"), "pass word");
    until("it waits", || gateway.log().contains("notice waits"));
    assert!(gateway.log().contains("no TLS: "), "{}", gateway.log());
    let seen = seen.lock().unwrap().clone();
    assert!(!seen.iter().any(|line| line.contains("AUTH")), "{seen:?}");
}

/// What releasing the only message of a store comes to, by a next hop that is set up like this.
fn release(
    store: &Place,
    release: &str,
    more: &[&str],
) -> (Option<i32>, String, serde_json::Value) {
    let text = format!("[quarantine]\npath = \"store\"\n[release]\n{release}");
    let config = store.write("release.toml", &text);
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_sekisho"))
            .arg("-c")
            .arg(&config)
            .args(arguments)
            .output()
            .unwrap()
    };
    let list = || -> serde_json::Value {
        serde_json::from_slice(&run(&["quarantine", "list", "--format", "json"]).stdout).unwrap()
    };
    let id = list()[0]["id"].as_str().unwrap().to_owned();
    let released = run(&[&["quarantine", "release", &id], more].concat());
    let said = [released.stdout, released.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (released.status.code(), said, list()[0]["state"].clone())
}

#[test]
fn released_messages_go_by_tls_with_a_login_or_not_at_all() {
    let place = Place::new();
    let Some(()) = certificate(&place) else {
        return;
    };
    place.write("password", "pass word\n");
    place.write("wrong", "word pass\n");
    let other = Place::new();
    certificate(&other).unwrap();
    std::fs::copy(other.0.join("cert.pem"), place.0.join("other.pem")).unwrap();
    {
        let relay = super::host::free_port();
        let hop = super::hop::Hop::start();
        let table = format!(
            "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{}\"\n",
            hop.port
        );
        let _gateway = Gateway::start(&place, &table);
        let said = send(relay, &["a@hq.test"], &malicious("told")).unwrap();
        assert!(said.starts_with("250 "), "{said}");
    }
    let (asked, seen) = server(&place.0, Tls::Asked, "PLAIN");
    let (at_once, seen_at_once) = server(&place.0, Tls::AtOnce, "LOGIN");
    let plain = super::hop::Hop::start();
    let login = "user = \"gate\"\npassword = \"password\"\n";
    let verify = |ca: &str| format!("starttls = \"verify\"\nca = \"{ca}\"\n");
    for (next_hop, tls, why) in [
        (
            format!("127.0.0.1:{asked}"),
            verify("other.pem") + login,
            "no TLS: ",
        ),
        (
            format!("smtps:127.0.0.1:{at_once}"),
            verify("other.pem") + login,
            "no TLS: ",
        ),
        (
            format!("127.0.0.1:{}", plain.port),
            "starttls = \"encrypt\"\n".to_owned(),
            "does not offer STARTTLS",
        ),
        (
            format!("127.0.0.1:{asked}"),
            verify("cert.pem") + "user = \"gate\"\npassword = \"wrong\"\n",
            "cannot log in as gate: 535 5.7.8 wrong",
        ),
        (
            format!("127.0.0.1:{asked}"),
            String::new(),
            "530 5.7.0 TLS first",
        ),
    ] {
        let (code, said, state) =
            release(&place, &format!("next_hop = \"{next_hop}\"\n{tls}"), &[]);
        assert!(code == Some(2) && said.contains(why), "{next_hop}: {said}");
        assert_eq!(state, "quarantined", "{next_hop}");
    }
    // Nothing was told to whom is not believed, and no password in clear.
    let told = [
        seen.lock().unwrap().clone(),
        seen_at_once.lock().unwrap().clone(),
    ]
    .concat();
    assert!(!told.iter().any(|line| line == "DATA"), "{told:?}");
    assert!(plain.all().is_empty());

    let good = verify("cert.pem") + login;
    let (code, said, state) = release(
        &place,
        &format!("next_hop = \"smtps:127.0.0.1:{at_once}\"\n{good}"),
        &[],
    );
    assert!(
        code == Some(0) && said.contains("250 2.0.0 taken"),
        "{said}"
    );
    assert_eq!(state, "released");
    let told = seen_at_once.lock().unwrap().clone();
    assert!(
        told.iter()
            .any(|line| line.starts_with("X-Sekisho-Release: ")),
        "{told:?}"
    );

    // Once more, by the other way.
    let before = seen.lock().unwrap().len();
    let next_hop = format!("next_hop = \"127.0.0.1:{asked}\"\n{good}");
    let (code, said, _) = release(&place, &next_hop, &["--again"]);
    assert_eq!(code, Some(0), "{said}");
    let told = seen.lock().unwrap()[before..].to_vec();
    let tls = told.iter().position(|line| line == "TLS").unwrap();
    assert_eq!(told[..tls], ["EHLO localhost", "STARTTLS"]);
    assert!(told.contains(&"RCPT TO:<a@hq.test>".to_owned()), "{told:?}");
}
