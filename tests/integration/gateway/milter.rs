//! The milter behind a real Postfix: every action, counted mails, killed gateways.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::host::{Delivered, Gateway, NextHop, Place, Postfix, send, until};
use crate::bench::Dice;
use crate::build;

/// Routes by recipient, as a client in the own network may have them.
pub(super) const ROUTES: &str = "\
[[route]]\nname = \"dry\"\nclient = [\"127.0.0.0/8\"]\nto = [\"dry@*\"]\ndry_run = true\n\
[[route]]\nname = \"tagged\"\nclient = [\"127.0.0.0/8\"]\nto = [\"tag@*\"]\n[route.actions]\nmalicious = \"tag\"\nsuspicious = \"tag\"\nmacros = \"tag\"\nencrypted = \"tag\"\n\
[[route]]\nname = \"refused\"\nclient = [\"127.0.0.0/8\"]\nto = [\"reject@*\"]\n[route.actions]\nmalicious = \"reject\"\n\
[[route]]\nname = \"stripped\"\nclient = [\"127.0.0.0/8\"]\nto = [\"strip@*\"]\n[route.actions]\nmalicious = \"strip\"\nmacros = \"disarm\"\n\
[strip]\nlanguage = \"en\"\n";

const CLEAN: &str = "From: Taro <taro@branch.test>\r\nTo: all@hq.test\r\nSubject: Minutes\r\n of Monday\r\nDate: Mon, 2 Nov 2026 09:30:00 +0900\r\n\
Message-ID: <clean@branch.test>\r\nX-Sekisho-Verdict: clean; forged\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
議事録\r\n.\r\n..dots\r\n\ttab and trailing blanks  \r\n";

pub(super) fn malicious(id: &str) -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/samples/invoice-with-macro.eml"
    );
    named(&std::fs::read(path).unwrap(), id)
}

pub(super) fn locked(id: &str) -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/samples/locked-contract.eml"
    );
    named(&std::fs::read(path).unwrap(), id)
}

/// The mail with CR LF and a Message-ID of its own.
pub(super) fn named(mail: &[u8], id: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(mail).replace("\r\n", "\n");
    let lines =
        text.split('\n').map(
            |line| match line.to_ascii_lowercase().starts_with("message-id:") {
                true => format!("Message-ID: <{id}@branch.test>"),
                false => line.to_owned(),
            },
        );
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}

pub(super) fn clean(id: &str) -> Vec<u8> {
    named(CLEAN.as_bytes(), id)
}

/// A mail as it was sent, without what servers put before it and without our headers.
pub(super) fn as_sent(mail: &Delivered) -> Vec<u8> {
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    let start = text.find("From: ").unwrap();
    let (header, body) = text[start..].split_once("\r\n\r\n").unwrap();
    let lines = header.split_inclusive("\r\n");
    let kept: String = lines
        .filter(|line| !line.starts_with("X-Sekisho-"))
        .collect();
    format!("{}\r\n\r\n{body}", kept.trim_end_matches("\r\n")).into_bytes()
}

pub(super) fn header<'a>(mail: &'a Delivered, name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(&mail.data).unwrap();
    let header = text.split("\r\n\r\n").next().unwrap();
    header.lines().find_map(|line| line.strip_prefix(name))
}

/// The Message-IDs of a mail at the next hop.
pub(super) fn id_of(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let line = text.lines().find(|line| line.starts_with("Message-ID: <"));
    line.unwrap_or_else(|| panic!("no Message-ID: {text}"))
        .trim_start_matches("Message-ID: <")
        .split('@')
        .next()
        .unwrap()
        .to_owned()
}

pub(super) fn id_of_entry(entry: &serde_json::Value) -> String {
    let id = entry["mail"]["message_id"].as_str();
    id.unwrap_or_else(|| panic!("{entry}"))
        .split('@')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn every_action_shows_through_postfix() {
    let place = Place::new();
    let gateway = Gateway::start(&place, ROUTES);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let say = |to: &[&str], mail: &[u8]| send(postfix.port, to, mail).unwrap();
    let arrives = |count: usize| {
        until("mails arrive", || hop.all().len() >= count);
        assert_eq!(hop.all().len(), count);
        hop.all().pop().unwrap()
    };

    // Clean: byte for byte but for headers, and the forged one is gone.
    assert!(say(&["a@hq.test"], &clean("clean")).starts_with("250 "));
    let mail = arrives(1);
    let verdict = header(&mail, "X-Sekisho-Verdict: ").unwrap();
    assert!(verdict.starts_with("clean; score=0; id="), "{verdict}");
    assert!(!String::from_utf8_lossy(&mail.data).contains("forged"));
    let sent = String::from_utf8(clean("clean")).unwrap();
    let sent = sent.replace("X-Sekisho-Verdict: clean; forged\r\n", "");
    assert_eq!(String::from_utf8(as_sent(&mail)).unwrap(), sent);

    // Tag: unchanged, with the findings in headers.
    assert!(say(&["tag@hq.test"], &malicious("tag")).starts_with("250 "));
    let mail = arrives(2);
    let verdict = header(&mail, "X-Sekisho-Verdict: ").unwrap();
    assert!(verdict.starts_with("malicious; score=100; ") && verdict.ends_with("route=tagged"));
    assert!(
        header(&mail, "X-Sekisho-Finding: ")
            .unwrap()
            .starts_with("vba-")
    );
    assert_eq!(as_sent(&mail), malicious("tag"));

    // Dry run: nothing at all.
    assert!(say(&["dry@hq.test"], &malicious("dry")).starts_with("250 "));
    let mail = arrives(3);
    assert_eq!(header(&mail, "X-Sekisho-Verdict: "), None);
    assert_eq!(as_sent(&mail), malicious("dry"));

    // Reject for all is said to the client.
    let said = say(&["reject@hq.test"], &malicious("reject"));
    assert!(said.starts_with("550 5.7.1 refused by sekisho"), "{said}");

    // Quarantine and hold: taken, and nowhere but in the store.
    assert!(say(&["a@hq.test"], &malicious("quarantine")).starts_with("250 "));
    assert!(say(&["a@hq.test"], &malicious("quarantine")).starts_with("250 "));
    assert!(say(&["a@hq.test"], &locked("hold")).starts_with("250 "));
    let state = |id: &str| {
        let listed = gateway.quarantine();
        let found = listed.iter().filter(|entry| id_of_entry(entry) == id);
        let states = found.map(|entry| entry["state"].as_str().unwrap().to_owned());
        states.collect::<Vec<_>>()
    };
    assert_eq!(state("quarantine"), ["quarantined"]);
    assert_eq!(state("hold"), ["held"]);

    // One mail, different fates: those who may have it get it, the others' copy is stored.
    let mixed = ["tag@hq.test", "a@hq.test", "reject@hq.test"];
    assert!(say(&mixed, &malicious("mixed")).starts_with("250 "));
    let mail = arrives(4);
    assert_eq!(mail.to, ["tag@hq.test"]);
    let listed = gateway.quarantine();
    let entry = listed
        .iter()
        .find(|entry| id_of_entry(entry) == "mixed")
        .unwrap();
    let to = entry["envelope"]["recipients"].to_string();
    assert_eq!(to, "[\"a@hq.test\",\"reject@hq.test\"]", "{entry}");

    // What would be changed is held while nothing can change it.
    let program = build::program();
    let part = build::attachment(
        "Content-Type: application/octet-stream; name=a.exe\nContent-Disposition: attachment; filename=a.exe\nContent-Transfer-Encoding: base64",
        &program,
    );
    let strip = named(&build::mail("strip", &[part]), "strip");
    let strip = match String::from_utf8_lossy(&strip).contains("Message-ID") {
        true => strip,
        false => [b"Message-ID: <strip@branch.test>\r\n".as_slice(), &strip].concat(),
    };
    assert!(say(&["a@hq.test"], &strip).starts_with("250 "));
    assert_eq!(state("strip").len(), 1);

    let log = gateway.log();
    let line = |what: &str| {
        log.lines()
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what}\n{log}"))
    };
    assert!(line("clean@branch.test").contains("action=\"deliver\""));
    assert!(line("quarantine@branch.test").contains("decided=\"quarantine\""));
    assert!(line("dry@branch.test").contains("dry_run=true"));
    let metrics = gateway.get("/metrics").unwrap();
    assert!(
        metrics.contains("sekisho_messages_total{action=\"reject\",verdict=\"malicious\"} 1"),
        "{metrics}"
    );
}

#[test]
fn a_mail_that_does_not_look_like_one_is_opened_all_the_same() {
    let place = Place::new();
    let gateway = Gateway::start(&place, ROUTES);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let mail = malicious("bare");
    let find = |what: &[u8], from: usize| {
        let found = mail[from..].windows(what.len()).position(|at| at == what);
        from + found.unwrap()
    };
    let at = find(b"Content-Type:", 0);
    let bare = [b"X: y\r\n".as_slice(), &mail[at..]].concat();
    let said = send(postfix.port, &["reject@hq.test"], &bare).unwrap();
    assert!(said.starts_with("550 "), "{said}");
}

/// What a client keeps doing until its mail is taken or refused: at most a minute.
pub(super) fn send_until_taken(port: u16, to: &[&str], mail: &[u8]) -> String {
    let started = Instant::now();
    loop {
        let said = send(port, to, mail).unwrap_or_default();
        if said.starts_with(['2', '5']) {
            return said;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "never taken: {said:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends numbered mails of all kinds over several connections.
pub(super) fn load(
    port: u16,
    count: usize,
    next: &Arc<AtomicUsize>,
) -> Vec<std::thread::JoinHandle<()>> {
    (0..6)
        .map(|_| {
            let next = Arc::clone(next);
            std::thread::spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let id = format!("m{number}");
                    let (to, mail): (&[&str], _) = match number % 20 {
                        3 => (&["a@hq.test"], malicious(&id)),
                        7 => (&["b@hq.test", "tag@hq.test"], malicious(&id)),
                        11 => (&["a@hq.test"], locked(&id)),
                        15 => (&["a@hq.test", "b@hq.test"], clean(&id)),
                        _ => (&["a@hq.test"], clean(&id)),
                    };
                    let said = send_until_taken(port, to, &mail);
                    assert!(said.starts_with('2'), "{said}");
                }
            })
        })
        .collect()
}

/// Recipients by mail: at the next hop, and in the store.
fn accounts(gateway: &Gateway, hop: &NextHop) -> [BTreeMap<(String, String), usize>; 2] {
    let mut arrived = BTreeMap::new();
    for mail in hop.all() {
        for to in &mail.to {
            *arrived.entry((id_of(&mail.data), to.clone())).or_default() += 1;
        }
    }
    let mut stored = BTreeMap::new();
    for entry in gateway.quarantine() {
        for to in entry["envelope"]["recipients"].as_array().unwrap() {
            let key = (id_of_entry(&entry), to.as_str().unwrap().to_owned());
            *stored.entry(key).or_default() += 1;
        }
    }
    [arrived, stored]
}

/// What each mail of [`load`] must come to: its recipients, and whether they get it.
fn expected(count: usize) -> BTreeMap<(String, String), bool> {
    let mut all = BTreeMap::new();
    for number in 0..count {
        let mut add = |to: &str, arrives| {
            all.insert((format!("m{number}"), to.to_owned()), arrives);
        };
        match number % 20 {
            3 | 11 => add("a@hq.test", false),
            7 => {
                add("b@hq.test", false);
                add("tag@hq.test", true);
            }
            15 => {
                add("a@hq.test", true);
                add("b@hq.test", true);
            }
            _ => add("a@hq.test", true),
        }
    }
    all
}

/// Every mail of [`load`] is where it must be, once.
pub(super) fn assert_each_once(gateway: &Gateway, hop: &NextHop, count: usize) {
    let [arrived, stored] = accounts(gateway, hop);
    let expected = expected(count);
    for (key, arrives) in &expected {
        let seen = (arrived.get(key).copied(), stored.get(key).copied());
        let wanted = if *arrives {
            (Some(1), None)
        } else {
            (None, Some(1))
        };
        assert_eq!(seen, wanted, "{key:?}");
    }
    assert_eq!(arrived.len() + stored.len(), expected.len());
}

/// Every mail of [`load`] is somewhere, and in the store once at the most.
pub(super) fn assert_none_lost(gateway: &Gateway, hop: &NextHop, count: usize) {
    let [arrived, stored] = accounts(gateway, hop);
    for key in expected(count).keys() {
        // A mail that was in work at two crashes goes to quarantine unscanned; an answer that was lost on the way
        // makes a client send again.
        let seen = (arrived.get(key), stored.get(key).copied());
        assert!(seen.0.is_some() || seen.1.is_some(), "{key:?} is lost");
        assert!(seen.1.unwrap_or(1) == 1, "{key:?} is in the store twice");
    }
}

#[test]
fn every_mail_is_accounted_for_exactly_once() {
    let count = match std::env::var_os("SEKISHO_TEST_FULL") {
        Some(_) => 10_000,
        None => 2_000,
    };
    let place = Place::new();
    let gateway = Gateway::start(&place, ROUTES);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    for sender in load(postfix.port, count, &Arc::default()) {
        sender.join().unwrap();
    }
    until("the queue is empty", || postfix.queued() == 0);
    assert_each_once(&gateway, &hop, count);
}

#[test]
fn no_mail_is_lost_when_the_gateway_is_killed_again_and_again() {
    let kills = match std::env::var_os("SEKISHO_TEST_FULL") {
        Some(_) => 200,
        None => 20,
    };
    let place = Place::new();
    let mut gateway = Gateway::start(&place, ROUTES);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let next = Arc::new(AtomicUsize::new(0));
    let count = kills * 60;
    let senders = load(postfix.port, count, &next);
    let mut dice = Dice::new(4);
    for _ in 0..kills {
        let pause = 100 + dice.below(400) as u64;
        std::thread::sleep(Duration::from_millis(pause));
        gateway.kill_and_restart();
    }
    for sender in senders {
        sender.join().unwrap();
    }
    until("the queue is empty", || postfix.queued() == 0);
    assert_none_lost(&gateway, &hop, count);
}

/// The part is replaced by a notice, everything else stays, and the original waits under the number in the notice.
#[test]
fn a_part_is_taken_out_through_postfix() {
    let place = Place::new();
    let gateway = Gateway::start(&place, ROUTES);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let sent = malicious("strip");
    let said = send(postfix.port, &["strip@hq.test"], &sent).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || !hop.all().is_empty());
    let mail = hop.all().pop().unwrap();
    let verdict = header(&mail, "X-Sekisho-Verdict: ").unwrap();
    assert!(verdict.starts_with("malicious; score=100; "), "{verdict}");
    let listed = gateway.quarantine();
    let entry = listed
        .iter()
        .find(|entry| id_of_entry(entry) == "strip")
        .unwrap();
    assert_eq!(entry["action"], "strip");
    let ticket = entry["id"].as_str().unwrap();
    let got = String::from_utf8(as_sent(&mail)).unwrap();
    assert!(
        got.contains(&format!("give this number: {ticket}")),
        "{got}"
    );
    // Up to the part and behind it the bytes are those that were sent.
    let sent = String::from_utf8(sent).unwrap();
    let same = |(a, b): &(char, char)| a == b;
    let head = got.chars().zip(sent.chars()).take_while(same).count();
    let tail = got
        .chars()
        .rev()
        .zip(sent.chars().rev())
        .take_while(same)
        .count();
    let notice = got.chars().count() - head - tail;
    assert!(sent.chars().count() > got.chars().count() && notice < 3000);
    assert!(got.contains("Content-Disposition: inline; filename=\"removed-"));

    // One part of several recipients' mail: those who get it get the cleaned one.
    let both = ["strip@hq.test", "a@hq.test"];
    let said = send(postfix.port, &both, &malicious("split")).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || hop.all().len() >= 2);
    let mail = hop.all().pop().unwrap();
    assert_eq!(mail.to, ["strip@hq.test"]);
    let listed = gateway.quarantine();
    let of_split = listed.iter().filter(|entry| id_of_entry(entry) == "split");
    let mut actions: Vec<&str> = of_split
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    assert_eq!(actions, ["quarantine", "strip"]);
}

/// A document with macros arrives without them, its neighbour as it was sent, with a notice in both languages; the
/// original waits under the number in the notice.
#[test]
fn a_document_is_disarmed_through_postfix() {
    const WORD: &str = "Content-Type: application/vnd.ms-word.document.macroEnabled.12; name=\"a.docm\"\nContent-Disposition: attachment; filename=\"a.docm\"\nContent-Transfer-Encoding: base64";
    const PLAIN: &str = "Content-Type: application/octet-stream; name=\"plain.docx\"\nContent-Disposition: attachment; filename=\"plain.docx\"\nContent-Transfer-Encoding: base64";
    const DISARMED: &str = "[[route]]\nname = \"disarmed\"\nclient = [\"127.0.0.0/8\"]\nto = [\"keep@*\"]\n[route.actions]\n\
        malicious = \"disarm\"\nsuspicious = \"disarm\"\nmacros = \"disarm\"\nexecutables = \"disarm\"\n";
    let place = Place::new();
    let gateway = Gateway::start(&place, DISARMED);
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let code = "Sub AutoOpen()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
    let document = build::docm("Report", &[("Module1", build::module("Module1", code))]);
    let plain = build::attachment(PLAIN, &build::docx("Plain"));
    let neighbour = String::from_utf8(plain.body.clone()).unwrap();
    let parts = [build::attachment(WORD, &document), plain];
    let sent = named(&build::mail("x", &parts), "disarm");
    let said = send(postfix.port, &["keep@hq.test"], &sent).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || !hop.all().is_empty());
    let mail = hop.all().pop().unwrap();
    let listed = gateway.quarantine();
    let entry = listed.iter().find(|entry| id_of_entry(entry) == "disarm");
    let entry = entry.unwrap();
    assert_eq!(entry["action"], "disarm");
    let ticket = entry["id"].as_str().unwrap();
    let got = String::from_utf8(as_sent(&mail)).unwrap();
    let word = WORD.replace('\n', "\r\n");
    assert!(got.contains(&format!("{word}\r\n\r\n")), "{got}");
    assert!(got.contains(&neighbour), "{got}");
    let said = got.replace("=\r\n", "");
    assert!(
        said.contains(&format!("give this number: {ticket}")),
        "{said}"
    );
    assert!(said.contains("word/vbaProject.bin"), "{said}");
    assert!(said.contains("=E3=83=9E=E3=82=AF=E3=83=AD"), "{said}");
    let report = crate::support::Folder::new();
    report.file("got.eml", got.as_bytes());
    let scanned = report.run(&["scan", "got.eml", "--format", "json"]).json();
    assert_eq!(scanned["level"], "clean", "{scanned}");
    assert_eq!(
        scanned["findings"].as_array().map(Vec::len),
        Some(0),
        "{scanned}"
    );

    // What cannot be disarmed goes as a whole.
    let program = "Content-Type: application/octet-stream; name=\"a.exe\"\nContent-Disposition: attachment; filename=\"a.exe\"\nContent-Transfer-Encoding: base64";
    let parts = [build::attachment(program, &build::program())];
    let sent = named(&build::mail("x", &parts), "program");
    let said = send(postfix.port, &["keep@hq.test"], &sent).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || hop.all().len() >= 2);
    let mail = hop.all().pop().unwrap();
    let got = String::from_utf8(as_sent(&mail)).unwrap();
    assert!(got.contains("filename=\"removed-"), "{got}");
    assert!(!got.contains("TVqQ"), "{got}");
}
