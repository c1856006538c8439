//! DKIM, SPF and ARC behind Postfix, with a name server that the test plays: changed mails, routes that ask for proof,
//! name servers that do not answer.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts,
};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::host::{Delivered, Gateway, NextHop, Place, Postfix, free_port, send, until};

const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/keys/seal.pem");

fn key() -> RsaKey<Sha256> {
    RsaKey::from_key_der(PrivateKeyDer::from_pem_file(KEY).unwrap()).unwrap()
}

/// Answers questions for TXT from a table, on a port of loopback.
fn name_server() -> u16 {
    let public = String::from_utf8(crate::build::base64(&key().public_key())).unwrap();
    let public = format!("v=DKIM1; k=rsa; p={}", public.replace(['\r', '\n'], ""));
    let table = BTreeMap::from([
        ("s1._domainkey.branch.test".to_owned(), public.clone()),
        ("seal._domainkey.hq.test".to_owned(), public),
        (
            "branch.test".to_owned(),
            "v=spf1 ip4:127.0.0.1 -all".to_owned(),
        ),
    ]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut packet) {
            let query = &packet[..len];
            let (mut name, mut at) = (Vec::new(), 12);
            while query[at] != 0 {
                let label = &query[at + 1..at + 1 + usize::from(query[at])];
                name.push(String::from_utf8_lossy(label).to_ascii_lowercase());
                at += 1 + usize::from(query[at]);
            }
            let question = &query[12..at + 5];
            let found = table.get(&name.join(".")).filter(|_| query[at + 2] == 16);
            let code = if found.is_some() { 0 } else { 3 };
            let mut answer = query[..2].to_vec();
            answer.extend([
                0x81,
                0x80 | code,
                0,
                1,
                0,
                u8::from(found.is_some()),
                0,
                0,
                0,
                0,
            ]);
            answer.extend(question);
            if let Some(text) = found {
                let mut data = Vec::new();
                for part in text.as_bytes().chunks(255) {
                    data.push(part.len() as u8);
                    data.extend(part);
                }
                answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60]);
                answer.extend((data.len() as u16).to_be_bytes());
                answer.extend(data);
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

/// A risky mail, signed for branch.test; `length`: over its first bytes only.
fn signed(id: &str, length: bool) -> Vec<u8> {
    let mail = super::milter::malicious(id);
    let signature = DkimSigner::from_key(key())
        .domain("branch.test")
        .selector("s1")
        .headers(["From", "To", "Subject", "Message-ID"])
        .body_length(length)
        .sign(&mail)
        .unwrap();
    [signature.to_header().into_bytes(), mail].concat()
}

fn header_of(mail: &Delivered) -> String {
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    let header = text.split("\r\n\r\n").next().unwrap();
    header.replace("\r\n\t", " ").replace("\r\n ", " ")
}

const STRIP: &str = "[[route]]\nname = \"all\"\nclient = [\"127.0.0.0/8\"]\n[route.actions]\nmalicious = \"strip\"\n";

#[test]
fn a_changed_mail_says_what_the_original_was_and_is_sealed() {
    let place = Place::new();
    let dns = name_server();
    let gateway = Gateway::start(
        &place,
        &format!(
            "{STRIP}[arc]\ndomain = \"hq.test\"\nselector = \"seal\"\nkey = \"{KEY}\"\n[dns]\nservers = [\"127.0.0.1:{dns}\"]\n"
        ),
    );
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let mut mail = signed("sealed", false);
    let forged = b"Authentication-Results: HQ.test; dkim=pass header.d=forged.test\r\nAuthentication-Results: mx.other.test; none\r\n";
    mail.splice(0..0, forged.iter().copied());
    let said = send(postfix.port, &["a@hq.test"], &mail).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || !hop.all().is_empty());
    let got = hop.all().remove(0);
    let header = header_of(&got);
    let line = |name: &str| {
        let mut lines = header.lines().filter(|line| line.starts_with(name));
        let line = lines.next().unwrap_or_else(|| panic!("{name}\n{header}"));
        line.to_owned()
    };
    let results = line("Authentication-Results: hq.test;");
    assert!(
        results.contains("dkim=pass header.d=branch.test header.s=s1"),
        "{results}"
    );
    assert!(
        results.contains("spf=pass") && results.contains("smtp.mailfrom=taro@branch.test"),
        "{results}"
    );
    assert!(
        !header.contains("forged.test") && header.contains("mx.other.test"),
        "{header}"
    );
    assert!(line("ARC-Seal: ").contains("i=1; a=rsa-sha256; s=seal; d=hq.test; cv=none;"));
    assert!(line("ARC-Authentication-Results: ").contains("i=1; hq.test; dkim=pass"));

    // Whoever is behind us can check the seal over what really arrived.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(async {
        let mut way = ConnectionConfig::udp();
        way.port = dns;
        let server = NameServerConfig::new([127, 0, 0, 1].into(), true, vec![way]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let resolver = MessageAuthenticator::new(config, ResolverOpts::default()).unwrap();
        let parsed = AuthenticatedMessage::parse(&got.data).unwrap();
        let dkim = resolver.verify_dkim(&parsed).await;
        assert_ne!(*dkim[0].result(), DkimResult::Pass);
        resolver.verify_arc(&parsed).await.result().clone()
    });
    assert_eq!(result, DkimResult::Pass);
}

#[test]
fn name_servers_that_do_not_answer_hold_nothing_up() {
    let place = Place::new();
    // Bound and never read: questions get lost.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = silent.local_addr().unwrap().port();
    let more = format!("{STRIP}[arc]\nid = \"hq.test\"\n[dns]\nservers = [\"127.0.0.1:{dns}\"]\n");
    let gateway = Gateway::start(&place, &more);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let started = Instant::now();
    let said = send(postfix.port, &["a@hq.test"], &signed("late", false)).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
    until("the mail arrives", || !hop.all().is_empty());
    let header = header_of(&hop.all()[0]);
    let results = header
        .lines()
        .find(|line| line.starts_with("Authentication-Results: hq.test;"));
    let results = results.unwrap_or_else(|| panic!("{header}"));
    assert!(
        results.contains("dkim=temperror") && results.contains("spf=temperror"),
        "{results}"
    );
    assert!(!header.contains("ARC-"), "{header}");
}

#[test]
fn routes_that_ask_for_proof_get_it_and_nothing_else_is_asked() {
    let place = Place::new();
    let dns = name_server();
    let route = |name: &str, require: &str, to: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nfrom = [\"*@branch.test\"]\nto = [\"{to}\"]\nrequire = \"{require}\"\n[route.actions]\nmalicious = \"tag\"\nmacros = \"tag\"\n"
        )
    };
    let more = route("signed", "dkim", "dkim@*") + &route("permitted", "spf", "spf@*");
    let gateway = Gateway::start(
        &place,
        &format!("{more}[dns]\nservers = [\"127.0.0.1:{dns}\"]\n"),
    );
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let say = |to: &str, mail: &[u8]| {
        let said = send(postfix.port, &[to], mail).unwrap();
        assert!(said.starts_with("250 "), "{said}");
    };
    say("dkim@hq.test", &super::milter::malicious("unsigned"));
    say("dkim@hq.test", &signed("partly", true));
    let mut broken = signed("broken", false);
    broken.extend(b"more\r\n");
    say("dkim@hq.test", &broken);
    say("dkim@hq.test", &signed("signed", false));
    say("spf@hq.test", &super::milter::malicious("permitted"));
    until("the proven mails arrive", || hop.all().len() >= 2);
    let mut arrived: Vec<String> = hop
        .all()
        .iter()
        .map(|mail| super::milter::id_of(&mail.data))
        .collect();
    arrived.sort();
    assert_eq!(arrived, ["permitted", "signed"]);
    assert_eq!(gateway.quarantine().len(), 3);
    let header = header_of(&hop.all()[0]);
    assert!(!header.contains("Authentication-Results"), "{header}");

    // Without an answer nothing is proven.
    let config = place.0.join("sekisho.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(&format!(":{dns}\""), &format!(":{}\"", free_port()));
    std::fs::write(&config, text).unwrap();
    gateway.signal("HUP");
    until("the reload", || gateway.log().contains(" reloaded "));
    say("spf@hq.test", &super::milter::malicious("late"));
    assert_eq!(gateway.quarantine().len(), 4);
}
