//! The quarantine through the program: every command, releases to a server that the test plays, processes killed at
//! any moment, a disk that is full.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sekisho::engine::Worker;
use sekisho::model::{Action, Envelope, Report};
use sekisho::quarantine::{
    Because, Deposit, Filter, Mending, State, Store, StoreError, StoreSettings, Ticket,
    message_digest,
};

use crate::bench::{Dice, engine, scan};
use crate::support::{Disk, Folder, Run};

const SETTINGS: StoreSettings = StoreSettings {
    keep: Duration::from_secs(90 * 86_400),
    max_size: 1 << 30,
};

/// Names the store in a process that the tests start to kill it.
const CHILD: &str = "SEKISHO_TEST_STORE";

const SAMPLE: &str = "testdata/samples/invoice-with-macro.eml";

fn sample() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE)).unwrap()
}

fn report(message: &[u8]) -> Report {
    let engine = engine();
    scan(&mut Worker::new(&engine), "mail.eml", message.to_vec())
}

fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    Envelope {
        client: Some("192.0.2.7".parse().unwrap()),
        helo: "mx.branch.example".to_owned(),
        sender: sender.to_owned(),
        recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
        ..Envelope::default()
    }
}

/// A folder with a store and a configuration that names it.
struct Desk {
    folder: Folder,
    store: Store,
}

impl Desk {
    fn new(next_hop: &str) -> Self {
        let folder = Folder::new();
        folder.file(
            "sekisho.toml",
            format!("[quarantine]\npath = \"store\"\n[release]\nnext_hop = \"{next_hop}\"\n"),
        );
        let store = Store::open(&folder.path("store"), SETTINGS).unwrap();
        Self { folder, store }
    }

    fn put(&self, message: &[u8], envelope: &Envelope, action: Action) -> Ticket {
        let deposit = Deposit {
            message,
            envelope,
            report: &report(message),
            route: "default",
            action,
            received: SystemTime::now(),
        };
        self.store.put(&deposit).unwrap().ticket()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let all = [&["-c", "sekisho.toml", "quarantine"], arguments].concat();
        self.folder.run_with(
            &all,
            b"",
            &[("USER", "hanako"), ("LOGNAME", ""), ("SUDO_USER", "")],
        )
    }
}

#[test]
fn messages_are_listed_shown_and_exported() {
    let desk = Desk::new("127.0.0.1:9");
    let message = sample();
    let id = desk.put(
        &message,
        &envelope(
            "taro@branch.example",
            &["hanako@hq.example.co.jp", "jiro@hq.example.co.jp"],
        ),
        Action::Quarantine,
    );
    let other = desk.put(
        b"From: a@x\r\nTo: b@x\r\nSubject: hello\r\n\r\nplain\r\n",
        &envelope("", &["b@x"]),
        Action::Hold,
    );
    let id = id.to_string();
    let run = desk.run(&["list"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2), "{run:?}");
    assert!(run.stdout.contains("<> -> b@x  hello\n"), "{run:?}");
    let line = run
        .stdout
        .lines()
        .find(|line| line.starts_with(&id))
        .unwrap();
    assert!(
        line.ends_with("taro@branch.example -> hanako@hq.example.co.jp (+1)  Invoice 2026-1102"),
        "{line}"
    );
    for filter in [
        ["--state", "quarantined"],
        ["--since", "1h"],
        ["--sender", "TARO@"],
        ["--recipient", "jiro"],
        ["--subject", "invoice"],
        ["--finding", "vba-autoexec"],
        ["--finding", "macros"],
        ["--finding", "autostart-with-call"],
        ["--action", "quarantine"],
        ["--route", "default"],
    ] {
        let run = desk.run(&[&["list", "--format", "json"], &filter[..]].concat());
        assert_eq!(run.code, 0, "{filter:?} {run:?}");
        let found = run.json();
        let found = found.as_array().unwrap();
        assert!(found.iter().any(|entry| entry["id"] == id), "{filter:?}");
    }
    let none = desk.run(&["list", "--until", "2001-01-01", "--format", "json"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, "[]\n"));
    let wrong = desk.run(&["list", "--finding", "vba-makro"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    for wrong in [
        ["--state", "lost"],
        ["--since", "then"],
        ["--action", "strip"],
    ] {
        assert_eq!(desk.run(&[&["list"], &wrong[..]].concat()).code, 2);
    }
    let shown = desk.run(&["show", &id]);
    for text in [
        "State: quarantined\n",
        "Client: 192.0.2.7\n",
        "Recipient: jiro@hq.example.co.jp\n",
        "- low  Macro that starts by itself (vba-autoexec)  Module1: AutoOpen\n",
        "Together: Macro that starts by itself and acts on the computer (autostart-with-call)\n",
        "quarantined  default  stored\n",
    ] {
        assert!(shown.stdout.contains(text), "{text:?} in {}", shown.stdout);
    }
    let shown = desk.run(&["show", &id, "--lang", "ja"]);
    assert!(
        shown.stdout.contains("件名: Invoice 2026-1102\n"),
        "{}",
        shown.stdout
    );
    let shown = desk.run(&["show", &id, "--format", "json"]).json();
    assert_eq!(shown["report"]["level"], "malicious");
    assert_eq!(shown["audit"][0]["what"], "quarantined");
    assert_eq!(shown["envelope"]["helo"], "mx.branch.example");

    let run = desk.run(&["export", &id, "-o", "out.eml"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    assert_eq!(std::fs::read(desk.folder.path("out.eml")).unwrap(), message);
    assert_eq!(desk.run(&["export", &id, "-o", "out.eml"]).code, 2);
    assert_eq!(desk.run(&["export", &id, "-o", "out.zip", "--zip"]).code, 0);
    let zip = std::fs::File::open(desk.folder.path("out.zip")).unwrap();
    let mut zip = zip::ZipArchive::new(zip).unwrap();
    let mut member = zip
        .by_name_decrypt(&format!("{id}.eml"), b"infected")
        .unwrap();
    let mut inside = Vec::new();
    std::io::copy(&mut member, &mut inside).unwrap();
    assert_eq!(inside, message);
    assert_eq!(desk.run(&["show", &other.to_string()]).code, 0);
}

#[test]
fn messages_are_deleted_and_purged_by_name() {
    let desk = Desk::new("127.0.0.1:9");
    let id = desk.put(
        b"Subject: a\r\n\r\n",
        &envelope("a@x", &["b@x"]),
        Action::Hold,
    );
    let id = id.to_string();
    assert_eq!(desk.run(&["delete", &id]).code, 2, "a reason is asked for");
    let run = desk.run(&["delete", &id, "--reason", "asked\u{1b}[2J for"]);
    assert_eq!((run.code, run.stdout), (0, format!("{id}  deleted\n")));
    let run = desk.run(&["delete", &id, "--reason", "again"]);
    assert_eq!(run.code, 1, "{run:?}");
    let shown = desk.run(&["show", &id]).stdout;
    assert!(
        shown.contains("  hanako (uid ") && shown.contains("deleted  asked\\u{1b}[2J for\n"),
        "{shown}"
    );
    for gone in [
        &["export", &id, "-o", "x"][..],
        &["release", &id],
        &["show", "0000-0000-0000"],
    ] {
        let run = desk.run(gone);
        assert_eq!(run.code, 1, "{run:?}");
    }
    assert_eq!(desk.run(&["show", "12"]).code, 2);
    assert_eq!(desk.run(&["purge"]).code, 1);
    let id = desk.put(
        b"Subject: b\r\n\r\n",
        &envelope("a@x", &["b@x"]),
        Action::Hold,
    );
    std::thread::sleep(Duration::from_millis(1100));
    let dry = desk.run(&["purge", "--older-than", "0s", "--dry-run"]);
    assert_eq!((dry.code, dry.stdout), (0, format!("{id}  would expire\n")));
    let run = desk.run(&["purge", "--older-than", "0s"]);
    assert_eq!((run.code, run.stdout), (0, format!("{id}  expired\n")));
    assert_eq!(desk.store.get(id).unwrap().state, State::Expired);
}

#[test]
fn without_a_store_nothing_matches_and_none_is_made() {
    let folder = Folder::new();
    folder.file("sekisho.toml", "[quarantine]\npath = \"store\"\n");
    let run = folder.run(&["-c", "sekisho.toml", "quarantine", "list"]);
    assert_eq!(
        (run.code, run.stderr.contains("no quarantine there yet")),
        (1, true),
        "{run:?}"
    );
    assert!(!folder.path("store").exists());
}

#[test]
fn hostile_text_is_escaped_wherever_it_is_shown() {
    let desk = Desk::new("127.0.0.1:9");
    let message = b"From: a@x\r\nSubject: =?utf-8?q?=1b[2J=e2=80=ae_gpj?=\r\n\r\n";
    let sender = envelope("\u{1b}]0;x\u{7}\u{202e}@x", &["b\n@x"]);
    let id = desk.put(message, &sender, Action::Hold).to_string();
    for arguments in [&["list"][..], &["show", &id], &["release", &id]] {
        let run = desk.run(arguments);
        let said = run.stdout + &run.stderr;
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{said:?}");
        assert!(
            said.contains("\\u{202e}") || arguments[0] == "release",
            "{said:?}"
        );
    }
}

/// A server that the test plays: what it got, and how it behaves.
#[derive(Debug, Clone, Default)]
struct Sink {
    got: Arc<Mutex<Vec<Got>>>,
}

/// One message that arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Got {
    mail: String,
    rcpt: String,
    data: Vec<u8>,
}

impl Sink {
    /// Serves for as long as the test runs. Answers with host:port.
    fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let sink = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let sink = sink.clone();
                // A client that goes away ends its own session only.
                std::thread::spawn(move || sink.session(stream.unwrap()));
            }
        });
        address
    }

    fn session(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        let mut say = |text: &str| stream.write_all(text.as_bytes()).ok();
        say("220-sink\r\n220 here\r\n")?;
        let mut got = Got::default();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let line = line.trim_end().to_owned();
            if line.starts_with("EHLO") {
                say("250-sink\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n")?;
            } else if line.starts_with("MAIL") {
                got.mail = line;
                say("250 2.1.0 ok\r\n")?;
            } else if line.contains("nobody@") {
                say("550 5.1.1 nobody \u{1b}[2Jhere\r\n")?;
            } else if line.starts_with("RCPT") {
                got.rcpt = line;
                say("250 2.1.5 ok\r\n")?;
            } else if line == "DATA" {
                say("354 go\r\n")?;
                got.data = Self::data(&mut lines)?;
                if got.rcpt.contains("broken@") {
                    return None;
                }
                self.got.lock().unwrap().push(std::mem::take(&mut got));
                say("250 2.0.0 taken\r\n")?;
            } else {
                say("221 bye\r\n")?;
                return None;
            }
        }
    }

    fn data(lines: &mut impl BufRead) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        loop {
            let mut line = Vec::new();
            lines
                .read_until(b'\n', &mut line)
                .ok()
                .filter(|read| *read > 0)?;
            if line == b".\r\n" {
                return Some(data);
            }
            data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

#[test]
fn a_release_arrives_as_it_came_with_a_token_that_is_good_once() {
    let sink = Sink::default();
    let desk = Desk::new(&sink.serve());
    let message = b"Received: by mx\r\nSubject: a\r\n\r\n.dot\r\n..\r\n\xe9t\xe9\r\n";
    let envelope = envelope(
        "taro@branch.example",
        &["a..b@x.example", "hanako@hq.example"],
    );
    let id = desk.put(message, &envelope, Action::Hold);
    let name = id.to_string();
    let run = desk.run(&[
        "release",
        &name,
        "--to",
        "a..b@x.example",
        "--reason",
        "looked at it",
    ]);
    assert_eq!(
        (run.code, run.stdout),
        (
            0,
            format!("{name}  released to a..b@x.example: 250 2.0.0 taken\n")
        )
    );
    assert_eq!(desk.store.get(id).unwrap().state, State::Held);
    let got = sink.got();
    assert_eq!(got[0].mail, "MAIL FROM:<taro@branch.example> BODY=8BITMIME");
    assert_eq!(got[0].rcpt, "RCPT TO:<a..b@x.example>");
    let end = got[0].data.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let (header, rest) = got[0].data.split_at(end);
    assert_eq!(rest, message);
    let header = std::str::from_utf8(header).unwrap();
    let token = header
        .strip_prefix("X-Sekisho-Release: ")
        .unwrap()
        .trim_end();
    let digest = message_digest(&got[0].data);
    let redeemed = desk.store.redeem(token, &digest).unwrap();
    assert_eq!(
        (redeemed.ticket, redeemed.recipient.as_str()),
        (id, "a..b@x.example")
    );
    assert!(desk.store.redeem(token, &digest).is_err());

    // The rest of the recipients; the first has it already, and is told about.
    let run = desk.run(&["release", &name]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stdout.contains("released to hanako@hq.example")
            && run.stderr.contains("a..b@x.example has it since")
    );
    assert_eq!(desk.store.get(id).unwrap().state, State::Released);
    assert_eq!(desk.run(&["release", &name]).code, 1);
    assert_eq!(sink.got().len(), 2);
    assert_eq!(desk.run(&["release", &name, "--again"]).code, 0);
    assert_eq!(sink.got().len(), 4);
    let shown = desk.run(&["show", &name]).stdout;
    assert!(
        shown.contains("sent  looked at it  a..b@x.example: 250 2.0.0 taken\n"),
        "{shown}"
    );
}

#[test]
fn a_cleaned_release_has_its_documents_disarmed_and_a_notice_for_the_rest() {
    let sink = Sink::default();
    let desk = Desk::new(&sink.serve());
    let envelope = envelope("taro@branch.example", &["hanako@hq.example"]);
    let id = desk.put(&sample(), &envelope, Action::Quarantine);
    let name = id.to_string();
    let run = desk.run(&["release", &name, "--cleaned"]);
    assert_eq!(run.code, 0, "{run:?}");
    let got = sink.got().remove(0).data;
    let text = String::from_utf8(got.clone()).unwrap();
    assert!(text.contains("filename=\"disarmed-"), "{text}");
    assert!(text.contains(&name) && text.contains("filename=\"invoice.docm\""));
    let clean = report(&got);
    assert_eq!((clean.level.as_str(), clean.score), ("clean", 0));
    let token = text["X-Sekisho-Release: ".len()..].split("\r\n").next();
    let digest = message_digest(&got);
    assert!(desk.store.redeem(token.unwrap(), &digest).is_ok());
    let entry = desk.store.get(id).unwrap();
    assert_eq!(entry.state, State::Released);
    let reply = entry.released[0].reply.clone().unwrap();
    assert!(reply.starts_with("cleaned; 250 "), "{reply}");

    // A program has nothing that could stay.
    let program = crate::build::attachment(
        "Content-Type: application/octet-stream; name=\"a.exe\"\nContent-Transfer-Encoding: base64",
        &crate::build::program(),
    );
    let message = crate::build::mail("x", &[program]);
    let id = desk.put(&message, &envelope, Action::Hold).to_string();
    let run = desk.run(&["release", &id, "--cleaned"]);
    assert_eq!(run.code, 0, "{run:?}");
    let text = String::from_utf8(sink.got().remove(1).data).unwrap();
    assert!(text.contains("filename=\"removed-"), "{text}");

    // What is risky as a whole is not made safe by taking parts out.
    let script = b"From: a@b.example\r\nSubject: a\r\nContent-Type: message/partial; id=x; number=1; total=2\r\n\r\nx\r\n";
    let id = desk.put(script, &envelope, Action::Hold).to_string();
    let run = desk.run(&["release", &id, "--cleaned"]);
    assert_eq!((run.code, sink.got().len()), (2, 2), "{run:?}");
    assert!(run.stderr.contains("cannot be cleaned: "), "{run:?}");
}

#[test]
fn bounces_international_addresses_and_lone_line_ends_are_released() {
    let sink = Sink::default();
    let desk = Desk::new(&sink.serve());
    let bounce = desk.put(
        b"Subject: a\n\nend\n.\nmore",
        &envelope("", &["花子@例え.example"]),
        Action::Hold,
    );
    let run = desk.run(&["release", &bounce.to_string()]);
    assert_eq!(run.code, 0, "{run:?}");
    let got = sink.got().remove(0);
    assert_eq!(got.mail, "MAIL FROM:<> SMTPUTF8");
    assert_eq!(got.rcpt, "RCPT TO:<花子@例え.example>");
    let token = String::from_utf8(got.data.clone()).unwrap();
    assert!(
        token.ends_with("\r\nSubject: a\r\n\r\nend\r\n.\r\nmore\r\n"),
        "{token:?}"
    );
    let token = token["X-Sekisho-Release: ".len()..]
        .split("\r\n")
        .next()
        .unwrap();
    assert!(desk.store.redeem(token, &message_digest(&got.data)).is_ok());
}

#[test]
fn a_release_that_fails_can_be_tried_again_and_one_without_an_answer_is_told() {
    let sink = Sink::default();
    let desk = Desk::new(&sink.serve());
    let id = desk.put(
        b"Subject: a\r\n\r\n",
        &envelope("a@x", &["nobody@x", "b@x", "broken@x"]),
        Action::Hold,
    );
    let name = id.to_string();
    let run = desk.run(&["release", &name]);
    assert_eq!((run.code, sink.got().len()), (2, 1), "{run:?}");
    assert!(
        run.stderr
            .contains("not released to nobody@x: 550 5.1.1 nobody \\u{1b}[2Jhere"),
        "{run:?}"
    );
    assert!(
        run.stderr.contains("may have reached broken@x, or not: "),
        "{run:?}"
    );
    let again = desk.run(&["release", &name, "--to", "broken@x"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("its end is not known"), "{again:?}");
    assert_eq!(desk.run(&["release", &name, "--to", "nobody@x"]).code, 2);
    assert_eq!(
        desk.run(&["release", &name, "--to", "x>\r\nRCPT TO:<y"])
            .code,
        2
    );
    assert_eq!(sink.got().len(), 1);
    assert_eq!(desk.store.get(id).unwrap().state, State::Held);
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    desk.folder.file(
        "sekisho.toml",
        format!("[quarantine]\npath = \"store\"\n[release]\nnext_hop = \"{closed}\"\n"),
    );
    let run = desk.run(&["release", &name, "--to", "c@x"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("cannot reach 127.0.0.1:"), "{run:?}");
}

#[test]
fn verify_tells_mends_and_fails_only_for_what_is_lost() {
    let desk = Desk::new("127.0.0.1:9");
    let id = desk.put(
        b"Subject: a\r\n\r\n",
        &envelope("a@x", &["b@x"]),
        Action::Hold,
    );
    let good = desk.run(&["verify"]);
    assert_eq!(
        (good.code, good.stdout.as_str()),
        (0, "1 messages read, 0 mismatches, 0 messages lost\n")
    );
    desk.folder.file("store/messages/07/0707.z", b"?");
    let dry = desk.run(&["verify", "--dry-run", "--format", "json"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert_eq!(dry.json()["mismatches"][0]["what"], "stranger");
    let digest = desk.store.get(id).unwrap().sha256;
    let path = desk
        .folder
        .path(format!("store/messages/{}/{digest}.z", &digest[..2]));
    std::fs::write(path, b"nothing").unwrap();
    let run = desk.run(&["verify"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stdout.contains(&format!(
            "{id}  LOST: its file is damaged: moved to damaged/\n"
        )),
        "{run:?}"
    );
    assert!(desk.run(&["list"]).stdout.contains("  [damaged]\n"));
    assert_eq!(desk.run(&["release", &id.to_string()]).code, 2);
}

#[test]
fn a_damaged_index_is_an_error_with_a_hint() {
    let folder = Folder::new();
    folder.file("sekisho.toml", "[quarantine]\npath = \"store\"\n");
    folder.file("store/index.sqlite3", b"this is no database".repeat(300));
    let run = folder.run(&["-c", "sekisho.toml", "quarantine", "list"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.stderr.contains("store/index.sqlite3") && run.stderr.contains("hint: "),
        "{run:?}"
    );
}

/// What the process does that is killed: stores messages and says so after each one. In other runs it does nothing.
#[test]
fn child_that_stores_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::open(Path::new(&path), SETTINGS).unwrap();
    let report = report(b"Subject: a\r\n\r\n");
    let start = std::process::id();
    for number in 0.. {
        let message = format!(
            "Subject: {start}/{number}\r\n\r\n{}",
            "text ".repeat(number % 5000)
        );
        let stored = store
            .put(&Deposit {
                message: message.as_bytes(),
                envelope: &envelope("a@x", &["b@x"]),
                report: &report,
                route: "default",
                action: Action::Hold,
                received: SystemTime::now(),
            })
            .unwrap();
        if number % 7 == 3 {
            let because = Because {
                who: "child",
                why: "",
            };
            store.delete(stored.ticket(), because).unwrap();
        } else {
            println!(
                "\nstored {} {}",
                stored.ticket(),
                message_digest(message.as_bytes())
                    .map(|byte| format!("{byte:02x}"))
                    .concat()
            );
        }
    }
}

fn start_child(store: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "quarantine::child_that_stores_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, store)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_process_killed_at_any_moment_loses_nothing_that_it_promised() {
    let folder = Folder::new();
    let path = folder.path("store");
    let mut dice = Dice::new(4);
    let mut promised: Vec<(Ticket, String)> = Vec::new();
    for _ in 0..20 {
        // Two writers at a time, of which both are killed.
        let mut children = [start_child(&path), start_child(&path)];
        let first = children[0].stdout.take().unwrap();
        let mut lines = BufReader::new(first).lines();
        // Killed at a moment of its work, after as many promises as the dice say: a disk decides how long each takes.
        let wanted = 5 + dice.below(6);
        let promises = lines.by_ref().map(Result::unwrap);
        let early: Vec<String> = promises
            .filter(|line| line.starts_with("stored "))
            .take(wanted)
            .collect();
        std::thread::sleep(Duration::from_micros(dice.below(20_000) as u64));
        for child in &mut children {
            child.kill().unwrap();
        }
        let second = BufReader::new(children[1].stdout.take().unwrap()).lines();
        let said = early
            .into_iter()
            .chain(lines.chain(second).map_while(Result::ok));
        for line in said {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["stored", ticket, digest] = words[..]
                && digest.len() == 64
            {
                promised.push((ticket.parse().unwrap(), digest.to_owned()));
            }
        }
        for child in &mut children {
            child.wait().unwrap();
        }
        let store = Store::open(&path, SETTINGS).unwrap();
        let verified = store.verify(Mending::Told).unwrap();
        assert!(verified.mismatches.is_empty(), "{verified:?}");
    }
    assert!(promised.len() > 100, "{}", promised.len());
    let store = Store::open(&path, SETTINGS).unwrap();
    for (ticket, digest) in promised {
        let message = store.message(ticket).unwrap();
        assert_eq!(
            message_digest(&message)
                .map(|byte| format!("{byte:02x}"))
                .concat(),
            digest
        );
    }
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_recovers_by_itself() {
    let folder = Folder::new();
    let path = folder.path("disk");
    let Some(disk) = Disk::mount(&path, "2m") else {
        eprintln!("skipped: this user may not mount a file system");
        return;
    };
    let store = Store::open(&path.join("store"), SETTINGS).unwrap();
    let mut dice = Dice::new(9);
    let mut noise = |length: usize| {
        (0..length)
            .map(|_| dice.roll().to_le_bytes()[0])
            .collect::<Vec<u8>>()
    };
    let report = report(b"Subject: a\r\n\r\n");
    let put = |message: &[u8]| {
        store.put(&Deposit {
            message,
            envelope: &envelope("a@x", &["b@x"]),
            report: &report,
            route: "default",
            action: Action::Hold,
            received: SystemTime::now(),
        })
    };
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    // Down to the last page: now the file does not fit, now the index.
    for length in [200_000, 50_000, 10_000, 2_000, 500, 100] {
        for _ in 0..40 {
            let message = noise(length);
            match put(&message) {
                Ok(stored) => kept.push((stored.ticket(), message)),
                Err(StoreError::Full { .. } | StoreError::Unreachable { .. }) => {
                    refused.push(message);
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(
        kept.len() > 5 && !refused.is_empty(),
        "{} {}",
        kept.len(),
        refused.len()
    );
    disk.grow("16m");
    for message in refused {
        kept.push((put(&message).unwrap().ticket(), message));
    }
    for (ticket, message) in &kept {
        assert_eq!(store.message(*ticket).unwrap(), *message);
    }
    let listed = store.list(&Filter::default()).unwrap().len();
    assert_eq!(listed, kept.len());
    let verified = store.verify(Mending::Told).unwrap();
    assert!(verified.mismatches.is_empty(), "{verified:?}");
}
