//! Notices of a running gateway: messages are put into its store as its filter does, a next hop takes the letters.

use std::time::{Duration, SystemTime};

use mail_parser::MessageParser;
use sekisho::engine::Worker;
use sekisho::model::{Action, Envelope};
use sekisho::quarantine::{Deposit, Store, StoreSettings, Ticket};

use super::host::{Delivered, Gateway, NextHop, Place, free_port, until};
use crate::bench::{engine, scan};

const SETTINGS: StoreSettings = StoreSettings {
    keep: Duration::from_secs(90 * 86_400),
    max_size: 1 << 30,
};

fn notify(smtp: u16, more: &str) -> String {
    format!(
        "[notify]\nfrom = \"関所 <gate@hq.test>\"\nsmtp = \"127.0.0.1:{smtp}\"\n{more}\
         [strip]\nlanguage = \"en\"\n[strip.languages]\n\"hq.test\" = \"ja\"\n"
    )
}

/// A mail with a program under a name of the sender's choice.
fn mail(header: &str) -> Vec<u8> {
    let program = crate::build::program();
    let part = crate::build::attachment(
        "Content-Type: application/octet-stream; name=\"invoice.pdf.exe\"\nContent-Transfer-Encoding: base64",
        &program,
    );
    let mail = crate::build::mail("x", &[part]);
    let mail = String::from_utf8_lossy(&mail).into_owned();
    let rest: String = mail
        .split_inclusive('\n')
        .skip_while(|line| !line.to_ascii_lowercase().starts_with("mime-version"))
        .collect();
    format!("From: =?UTF-8?B?5aSq6YOO?= <taro@branch.test>\r\nSubject: =?UTF-8?B?6KuL5rGC?= http://evil.test\r\n{header}{rest}")
        .into_bytes()
}

fn put(store: &Store, message: &[u8], sender: &str, to: &[&str], action: Action) -> Ticket {
    let engine = engine();
    let report = scan(&mut Worker::new(&engine), "m.eml", message.to_vec());
    let envelope = Envelope {
        sender: sender.to_owned(),
        recipients: to.iter().map(|to| (*to).to_owned()).collect(),
        ..Envelope::default()
    };
    let deposit = Deposit {
        message,
        envelope: &envelope,
        report: &report,
        route: "default",
        action,
        received: SystemTime::now(),
    };
    store.put(&deposit).unwrap().ticket()
}

/// The gateway with the store, once it has looked at the store for the first time.
fn start(place: &Place, smtp: u16, more: &str) -> (Gateway, Store) {
    let gateway = Gateway::start(place, &notify(smtp, more));
    let store = Store::open(&place.0.join("store"), SETTINGS).unwrap();
    settled(&store);
    (gateway, store)
}

/// Waits until it is settled who is told of everything that is in the store.
fn settled(store: &Store) {
    // The first question makes everything settled, if the gateway was not before: both are right here.
    until("nothing is left to settle", || {
        store.unannounced().unwrap().is_empty()
    });
}

fn text(mail: &Delivered) -> (String, String) {
    let parsed = MessageParser::default().parse(&mail.data).unwrap();
    let body = parsed.body_text(0).unwrap().into_owned();
    (parsed.subject().unwrap().to_owned(), body)
}

#[test]
fn recipients_and_administrators_are_told_even_if_their_server_was_down() {
    let place = Place::new();
    let port = free_port();
    let more = "admins = [\"admin@other.test\"]\n";
    let (mut gateway, store) = start(&place, port, more);
    let to = ["hanako@hq.test", "a..b@other.test"];
    let id = put(
        &store,
        &mail(""),
        "taro@branch.test",
        &to,
        Action::Quarantine,
    );
    until("the server is missed", || {
        gateway.log().contains("notice waits")
    });
    gateway.kill_and_restart();
    let hop = NextHop::start_on(port);
    let count = || hop.all().len();
    // Waited for by the thread itself: half a minute after the first failure.
    until("everybody is told", || count() >= 3);
    let all = hop.all();
    let of = |address: &str| {
        let found: Vec<_> = all.iter().filter(|mail| mail.to == [address]).collect();
        assert_eq!(found.len(), 1, "{address}");
        found[0].clone()
    };
    let id = id.to_string();

    let japanese = of("hanako@hq.test");
    assert_eq!(japanese.from, "");
    let raw = String::from_utf8(japanese.data.clone()).unwrap();
    let (header, _) = raw.split_once("\r\n\r\n").unwrap();
    assert!(header.is_ascii(), "{header}");
    assert!(
        header.contains("\r\nAuto-Submitted: auto-generated\r\n"),
        "{header}"
    );
    assert!(header.lines().all(|line| line.len() < 79), "{header}");
    let (subject, body) = text(&japanese);
    assert_eq!(
        subject,
        format!("メールゲートウェイ: メールを1通保留しました ({id})")
    );
    for part in [
        id.as_str(),
        "差出人:    taro@branch.test",
        "宛先:      hanako@hq.test",
        "invoice.pdf.exe: ",
    ] {
        assert!(body.contains(part), "{part}\n{body}");
    }
    assert!(
        body.contains("請求 http:// evil.test") && !body.contains("other.test"),
        "{body}"
    );

    let (_, body) = text(&of("a..b@other.test"));
    assert!(
        body.contains("has not delivered the message below"),
        "{body}"
    );
    let (_, body) = text(&of("admin@other.test"));
    assert!(
        body.contains("sekisho quarantine show")
            && body.contains("hanako@hq.test, a..b@other.test"),
        "{body}"
    );

    // Told once, and it stands in the audit.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(count(), 3);
    let audit = store.audit(id.parse().unwrap()).unwrap();
    assert_eq!(audit.iter().filter(|event| event.what == "told").count(), 3);
}

#[test]
fn bounces_automatic_mails_and_our_own_notices_tell_no_recipient() {
    let place = Place::new();
    let hop = NextHop::start();
    let (_gateway, store) = start(
        &place,
        hop.port,
        "admins = [\"admin@hq.test\"]\nlang = \"en\"\n",
    );
    let put = |header: &str, sender: &str, action| {
        put(&store, &mail(header), sender, &["hanako@hq.test"], action)
    };
    put("X-Number: 1\r\n", "", Action::Hold);
    put(
        "X-Number: 2\r\nAuto-Submitted: auto-replied\r\n",
        "taro@branch.test",
        Action::Hold,
    );
    put("X-Number: 3\r\n", "taro@branch.test", Action::Strip);
    let admin = |hop: &NextHop| {
        let all = hop.all();
        let told = all
            .iter()
            .map(|mail| text(mail).1.matches("Number:").count());
        assert!(
            all.iter().all(|mail| mail.to == ["admin@hq.test"]),
            "{all:?}"
        );
        told.sum::<usize>()
    };
    until("the administrator is told", || admin(&hop) >= 3);
    // A notice of ours that was itself held back.
    let parsed = hop.all();
    let parsed = MessageParser::default().parse(&parsed[0].data).unwrap();
    let own = format!("Message-ID: <{}>\r\n", parsed.message_id().unwrap());
    put(&own, "", Action::Hold);
    settled(&store);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(admin(&hop), 3);
}

#[test]
fn what_comes_in_a_burst_is_told_in_one_letter_and_no_more_than_may_be_in_an_hour() {
    let place = Place::new();
    let hop = NextHop::start();
    let (_gateway, store) = start(&place, hop.port, "per_hour = 1\nlang = \"en\"\n");
    let put = |header: &str| {
        put(
            &store,
            &mail(header),
            "taro@branch.test",
            &["hanako@hq.test"],
            Action::Hold,
        )
    };
    put("X-Number: 1\r\n");
    until("the recipient is told", || hop.all().len() == 1);
    let late = put("X-Number: 2\r\n");
    settled(&store);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(hop.all().len(), 1);
    let audit = store.audit(late).unwrap();
    assert!(audit.iter().all(|event| event.what != "told"), "{audit:?}");
}
