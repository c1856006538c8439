//! The relay between a client that says literal bytes and a next hop that says what it is told to.

use std::net::Shutdown;

use super::hop::{Hop, Talk, code};
use super::host::{Delivered, Gateway, Place, free_port, until};
use super::milter::{ROUTES, clean, header, id_of_entry, malicious};
use crate::build;

/// A gateway with a relay before a next hop.
pub(super) fn relay(place: &Place, next_hop: &str, more: &str) -> (Gateway, u16) {
    let port = free_port();
    let table = format!(
        "[relay]\nlisten = \"127.0.0.1:{port}\"\nnext_hop = \"{next_hop}\"\nname = \"relay.test\"\nnext_hop_timeout = 2\n{more}"
    );
    (Gateway::start(place, &table), port)
}

pub(super) fn before(hop: &Hop) -> String {
    format!("127.0.0.1:{}", hop.port)
}

/// Dots doubled, and the end.
fn data(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
    }
    out.extend(b".\r\n");
    out
}

/// A whole transaction; gives the answers to the recipients and to the message.
pub(super) fn send(port: u16, to: &[&str], mail: &[u8]) -> Vec<u16> {
    let mut talk = Talk::to(port);
    let mut codes = talk.codes(&["EHLO client.test", "MAIL FROM:<taro@branch.test>"]);
    assert_eq!(codes, [250, 250]);
    codes.clear();
    for to in to {
        codes.push(code(&talk.say(&format!("RCPT TO:<{to}>"))));
    }
    let go = talk.say("DATA");
    if code(&go) != 354 {
        codes.push(code(&go));
        return codes;
    }
    talk.write(&data(mail));
    codes.push(code(&talk.answer()));
    assert_eq!(code(&talk.say("QUIT")), 221);
    codes
}

/// What stands behind our headers.
fn behind_ours(mail: &Delivered) -> Vec<u8> {
    let text = String::from_utf8(mail.data.clone()).unwrap();
    let ours = |line: &str| {
        line.starts_with("Received: ") || line.starts_with('\t') || line.starts_with("X-Sekisho-")
    };
    let lines = text.split_inclusive("\r\n");
    lines
        .skip_while(|line| ours(line))
        .collect::<String>()
        .into_bytes()
}

#[test]
fn the_envelope_is_the_next_hops_and_the_message_arrives_as_it_was_sent() {
    let place = Place::new();
    let hop = Hop::start();
    hop.answers(|line| match line {
        "RCPT TO:<nobody@hq.test>" => Some("550-5.1.1 no\r\n550 5.1.1 such user"),
        "RCPT TO:<later@hq.test>" => Some("450 4.2.1 later"),
        _ => None,
    });
    let (gateway, port) = relay(&place, &before(&hop), "");
    let mut talk = Talk::to(port);
    let offered = talk.say("EHLO client.test");
    let expected = "250-relay.test\r\n250-PIPELINING\r\n250-SIZE 536870912\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 CHUNKING";
    assert_eq!(offered, expected);
    let said =
        talk.say("MAIL FROM:<taro@branch.test> BODY=8BITMIME SIZE=300 RET=HDRS ENVID=QQ+2B314");
    assert_eq!(said, "250 2.0.0 taken");
    assert_eq!(
        talk.say("RCPT TO:<nobody@hq.test>"),
        "550-5.1.1 no\r\n550 5.1.1 such user"
    );
    assert_eq!(talk.say("RCPT TO:<later@hq.test>"), "450 4.2.1 later");
    let said = talk.say("RCPT TO:<a@hq.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@hq.test");
    assert_eq!(code(&said), 250);
    assert_eq!(code(&talk.say("DATA")), 354);
    assert_eq!(
        hop.seen()
            .iter()
            .filter(|line| line.ends_with("DATA"))
            .count(),
        0
    );
    let sent = b"From: a@b\r\nSubject: \xe8\xad\xb0\xe4\xba\x8b\r\n\r\n.\r\n..x\r\nend \r\n";
    talk.write(&data(sent));
    assert_eq!(talk.answer(), "250 2.0.0 taken");
    let [mail] = hop.all().try_into().unwrap();
    assert_eq!(mail.to, ["a@hq.test"]);
    assert_eq!(behind_ours(&mail), sent);
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    assert!(
        text.starts_with(
            "Received: from client.test ([127.0.0.1])\r\n\tby relay.test (sekisho relay "
        ),
        "{text}"
    );
    assert!(
        header(&mail, "X-Sekisho-Verdict: ")
            .unwrap()
            .starts_with("clean; score=0; ")
    );
    let seen = hop.seen();
    assert!(seen.iter().any(|line| line.ends_with("DATA")), "{seen:?}");

    // The connection goes on with the next message; what claims to be ours is taken away.
    let lines = [
        "MAIL FROM:<>",
        "RCPT TO:<a@hq.test>",
        "RSET",
        "MAIL FROM:<x@y>",
        "RCPT TO:<b@hq.test>",
        "DATA",
    ];
    assert_eq!(talk.codes(&lines), [250, 250, 250, 250, 250, 354]);
    talk.write(&data(&clean("again")));
    assert_eq!(code(&talk.answer()), 250);
    let mail = hop.all().pop().unwrap();
    assert_eq!(
        (mail.to, hop.all().len()),
        (vec!["b@hq.test".to_owned()], 2)
    );
    assert!(!String::from_utf8_lossy(&mail.data).contains("forged"));
    let log = gateway.log();
    assert!(
        log.contains("listener=\"relay\"") && log.contains("from=\"taro@branch.test\""),
        "{log}"
    );
    let metrics = gateway.get("/metrics").unwrap();
    assert!(
        metrics.contains("sekisho_connections{listener=\"relay\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("sekisho_relay_messages_total{result=\"accepted\"} 2"),
        "{metrics}"
    );
}

#[test]
fn commands_in_one_go_are_answered_one_by_one_and_nothing_is_smuggled() {
    let place = Place::new();
    let hop = Hop::start();
    let (_gateway, port) = relay(&place, &before(&hop), "");
    let smuggled = "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nSubject: smuggled\r\n\r\n";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n"] {
        let mut talk = Talk::to(port);
        let text = format!(
            "EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: one\r\n\r\nx{end}{smuggled}y\r\n.\r\nQUIT\r\n"
        );
        talk.write(text.as_bytes());
        let codes: Vec<u16> = (0..6).map(|_| code(&talk.answer())).collect();
        assert_eq!(codes, [250, 250, 250, 354, 250, 221], "{end:?}");
        let mail = hop.all().pop().unwrap();
        assert_eq!(mail.to, ["c@d"], "{end:?}");
        let text = String::from_utf8(mail.data).unwrap();
        assert!(text.contains("smuggled"), "{end:?}");
        // Neither to the next hop is anything else said.
        let bare = text.replace("\r\n", "");
        assert!(!bare.contains(['\r', '\n']), "{end:?}");
    }
    assert_eq!(hop.all().len(), 6);
    // The dot as the very first line ends a message too.
    let mut talk = Talk::to(port);
    talk.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nNOOP\r\n");
    let codes: Vec<u16> = (0..6).map(|_| code(&talk.answer())).collect();
    assert_eq!(codes, [250, 250, 250, 354, 250, 250]);
    // Commands with other line ends are not obeyed.
    talk.write(b"MAIL FROM:<a@b>\nNOOP\r\n");
    assert_eq!([code(&talk.answer()), code(&talk.answer())], [500, 250]);
}

#[test]
fn messages_come_in_chunks_too() {
    let place = Place::new();
    let hop = Hop::start();
    let (_gateway, port) = relay(&place, &before(&hop), "");
    let mut talk = Talk::to(port);
    talk.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 14\r\nSubject: a\r\n\r\nBDAT 9\r\nb\r\n.\r\nc\r\rBDAT 2 LAST\r\n\nd");
    let codes: Vec<u16> = (0..6).map(|_| code(&talk.answer())).collect();
    assert_eq!(codes, [250, 250, 250, 250, 250, 250]);
    let mail = hop.all().pop().unwrap();
    assert_eq!(
        String::from_utf8(behind_ours(&mail)).unwrap(),
        "Subject: a\r\n\r\nb\r\n.\r\nc\r\n\r\nd\r\n"
    );
    // Chunks that nobody wants are read past.
    talk.write(b"BDAT 6\r\nQUIT\r\nMAIL FROM:<a@b>\r\nBDAT 6 LAST\r\nQUIT\r\nRCPT TO:<c@d>\r\nBDAT 0 LAST\r\n");
    let codes: Vec<u16> = (0..5).map(|_| code(&talk.answer())).collect();
    assert_eq!(codes, [503, 250, 554, 250, 250]);
    assert_eq!(hop.all().len(), 2);
    // More of them than commands without a message may be.
    talk.write(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
    assert_eq!([code(&talk.answer()), code(&talk.answer())], [250, 250]);
    for _ in 0..5100 {
        talk.write(b"BDAT 1\r\nx");
        assert_eq!(code(&talk.answer()), 250);
    }
    assert_eq!(code(&talk.say("BDAT 0 LAST")), 250);
    // Where nobody knows how many bytes follow, nothing that follows is obeyed.
    hop.seen();
    for wrong in ["BDAT -1 LAST", "BDAT 9 FIRST", "BDAT 18446744073709551616"] {
        let mut talk = Talk::to(port);
        talk.write(format!("EHLO c\r\n{wrong}\r\nMAIL FROM:<evil@x>\r\n").as_bytes());
        let rest = talk.rest();
        assert!(rest.lines().last().unwrap().starts_with("501 "), "{rest}");
    }
    assert!(!hop.seen().iter().any(|line| line.contains("evil")));
}

#[test]
fn recipients_with_different_fates_get_different_copies() {
    let place = Place::new();
    let hop = Hop::start();
    let (gateway, port) = relay(&place, &before(&hop), ROUTES);
    let to = [
        "tag@hq.test",
        "a@hq.test",
        "strip@hq.test",
        "dry@hq.test",
        "reject@hq.test",
    ];
    assert_eq!(
        send(port, &to, &malicious("mixed")),
        [250, 250, 250, 250, 250, 250]
    );
    let mut all = hop.all();
    all.sort_by(|one, other| one.to.cmp(&other.to));
    let [dry, strip, tag] = all.try_into().unwrap();
    assert_eq!(
        (&dry.to[..], &strip.to[..], &tag.to[..]),
        (
            &["dry@hq.test".to_owned()][..],
            &["strip@hq.test".to_owned()][..],
            &["tag@hq.test".to_owned()][..]
        )
    );
    assert_eq!(behind_ours(&dry), malicious("mixed"));
    assert_eq!(header(&dry, "X-Sekisho-Verdict: "), None);
    assert_eq!(behind_ours(&tag), malicious("mixed"));
    assert!(
        header(&tag, "X-Sekisho-Verdict: ")
            .unwrap()
            .ends_with("route=tagged")
    );
    assert!(
        header(&strip, "X-Sekisho-Verdict: ")
            .unwrap()
            .ends_with("route=stripped")
    );
    assert!(String::from_utf8_lossy(&strip.data).contains("filename=\"removed-"));
    let stored = gateway.quarantine();
    let mut actions: Vec<(&str, String)> = stored
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().unwrap(),
                entry["envelope"]["recipients"].to_string(),
            )
        })
        .collect();
    actions.sort();
    let expected = [
        ("quarantine", "[\"a@hq.test\",\"reject@hq.test\"]"),
        ("strip", "[\"strip@hq.test\"]"),
    ];
    assert_eq!(
        actions,
        expected.map(|(action, to)| (action, to.to_owned()))
    );
    // Every recipient of every copy is answered before the first message ends.
    let seen = hop.seen();
    let first_end = seen.iter().position(|line| line.ends_with(" .")).unwrap();
    let last_rcpt = seen.iter().rposition(|line| line.contains("RCPT")).unwrap();
    assert!(last_rcpt < first_end, "{seen:?}");

    // Refused for all: the sender's server learns of it, the next hop of nothing.
    assert_eq!(
        send(port, &["reject@hq.test"], &malicious("reject")),
        [250, 550]
    );
    assert_eq!(hop.all().len(), 3);
    assert!(!hop.seen().iter().any(|line| line.ends_with("DATA")));
    assert_eq!(send(port, &["a@hq.test"], &malicious("kept")), [250, 250]);
    assert_eq!(hop.all().len(), 3);
}

#[test]
fn a_copy_that_is_refused_after_another_was_taken_is_held_and_tried_again() {
    let place = Place::new();
    let hop = Hop::start();
    let mut ends = 0;
    hop.answers(move |line| {
        ends += usize::from(line == ".");
        (line == "." && ends == 2).then_some("452 4.3.1 full")
    });
    let (mut gateway, port) = relay(&place, &before(&hop), ROUTES);
    let to = ["tag@hq.test", "strip@hq.test"];
    assert_eq!(send(port, &to, &malicious("late")), [250, 250, 250]);
    assert_eq!(hop.all().len(), 1);
    let held = |gateway: &Gateway| {
        let stored = gateway.quarantine();
        stored
            .iter()
            .filter(|entry| entry["route"] == "relay/undelivered")
            .map(|entry| entry["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(held(&gateway), ["held"]);
    assert!(
        gateway
            .get("/metrics")
            .unwrap()
            .contains("sekisho_relay_messages_total{result=\"held\"} 1")
    );
    // A round at every start.
    gateway.kill_and_restart();
    until("the copy arrives", || hop.all().len() == 2);
    let mail = hop.all().pop().unwrap();
    assert_eq!(mail.to, ["strip@hq.test"]);
    assert!(String::from_utf8_lossy(&mail.data).contains("filename=\"removed-"));
    until("it is noted", || held(&gateway) == ["released"]);

    // Where the first copy is refused nobody has anything, and the client hears it.
    hop.answers(|line| (line == ".").then_some("554 5.6.0 no"));
    until("the gateway is ready", || gateway.get("/readyz").is_some());
    assert_eq!(send(port, &to, &malicious("never")), [250, 250, 554]);
    assert_eq!(hop.all().len(), 2);
}

#[test]
fn a_next_hop_that_is_down_slow_or_gone_costs_time_but_no_mail() {
    let place = Place::new();
    let next = free_port();
    let (gateway, port) = relay(&place, &format!("127.0.0.1:{next}"), "");
    // Never seen: nothing can be offered.
    let mut talk = Talk::to(port);
    assert_eq!(code(&talk.say("EHLO c")), 421);
    assert_eq!(talk.rest(), "");
    let hop = Hop::start_on(next);
    assert_eq!(send(port, &["a@b.test"], &clean("one")), [250, 250]);
    for (stage, trouble) in [
        ("MAIL", "close"),
        ("RCPT", "close"),
        ("RCPT", "421 4.3.2 going"),
        ("RCPT", "hang"),
        ("DATA", "close"),
        ("DATA", "451 4.3.0 not now"),
        (".", "close"),
        (".", "421 4.3.2 going"),
        ("RCPT", "nonsense"),
    ] {
        hop.answers(move |line| line.starts_with(stage).then_some(trouble));
        let mut talk = Talk::to(port);
        let lines = ["EHLO c", "MAIL FROM:<x@y>", "RCPT TO:<a@b>", "DATA"];
        let mut codes = talk.codes(&lines);
        if codes[3] == 354 {
            talk.write(&data(&clean("two")));
            codes.push(code(&talk.answer()));
        }
        let first_no = codes.iter().position(|code| *code >= 400);
        let refused = first_no.map(|at| codes[at]);
        assert!(
            refused.is_some_and(|code| code < 500),
            "{stage} {trouble}: {codes:?}"
        );
        assert!(
            codes
                .iter()
                .skip(first_no.unwrap())
                .all(|code| (400..600).contains(code))
        );
        // The connection goes on once the next hop does.
        hop.answers(|_| None);
        assert_eq!(
            talk.codes(&["RSET", "MAIL FROM:<x@y>", "RCPT TO:<a@b>"]),
            [250, 250, 250],
            "{stage} {trouble}"
        );
    }
    assert_eq!(hop.all().len(), 1);
    assert_eq!(send(port, &["a@b.test"], &clean("three")), [250, 250]);
    assert!(gateway.log().contains("the next hop is of no use now"));
}

#[test]
fn notices_in_mails_are_in_words_of_ones_own() {
    const WORD: &str = "Content-Type: application/octet-stream; name=\"a.docm\"\nContent-Disposition: attachment; filename=\"a.docm\"\nContent-Transfer-Encoding: base64";
    let place = Place::new();
    place.write("gone.txt", "GONE {name} by {id}\n");
    place.write("disarmed.txt", "LESS {name}:\n{removed}\nby {id}\n");
    let hop = Hop::start();
    let more = "[strip]\nlanguage = \"en\"\ntemplate_en = \"gone.txt\"\ndisarmed_en = \"disarmed.txt\"\n\
        [[route]]\nname = \"changed\"\nclient = [\"127.0.0.0/8\"]\n[route.actions]\nmalicious = \"disarm\"\n\
        suspicious = \"disarm\"\nmacros = \"disarm\"\n";
    let (gateway, port) = relay(&place, &before(&hop), more);
    let code = "Sub AutoOpen()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
    let document = build::docm("Report", &[("Module1", build::module("Module1", code))]);
    let mail = build::mail("x", &[build::attachment(WORD, &document)]);
    let program = build::mail(
        "x",
        &[build::attachment(
            &WORD.replace("docm", "exe"),
            &build::program(),
        )],
    );
    for (sent, words) in [(mail, "LESS a.docm:"), (program, "GONE a.exe by ")] {
        assert_eq!(send(port, &["a@hq.test"], &sent), [250, 250]);
        let arrived = String::from_utf8(hop.all().pop().unwrap().data).unwrap();
        let ticket = gateway.quarantine()[0]["id"].as_str().unwrap().to_owned();
        let arrived = arrived.replace("=\r\n", "");
        assert!(arrived.contains(words), "{arrived}");
        assert!(arrived.contains(&format!("by {ticket}")), "{arrived}");
        assert!(!arrived.contains("The mail gateway"), "{arrived}");
    }
}

/// A next hop that was tired of waiting for the message has nothing of it: it is handed over on a new connection.
#[test]
fn a_next_hop_that_left_before_the_message_is_asked_once_more() {
    let place = Place::new();
    let hop = Hop::start();
    let mut asked = 0;
    hop.answers(move |line| {
        asked += usize::from(line == "DATA");
        match (line, asked) {
            ("DATA", 1) => Some("close"),
            ("DATA", 3) => Some("421 4.4.2 you took too long"),
            _ => None,
        }
    });
    let (_gateway, port) = relay(&place, &before(&hop), "");
    for (number, id) in ["first", "second"].into_iter().enumerate() {
        assert_eq!(send(port, &["a@b.test", "c@d.test"], &clean(id)), [250; 3]);
        let all = hop.all();
        assert_eq!(all.len(), number + 1);
        assert_eq!(all[number].to, ["a@b.test", "c@d.test"]);
    }
    // Behind the end it may have it: that is the client's to try again.
    let mut ends = 0;
    hop.answers(move |line| {
        ends += usize::from(line == ".");
        (line == "." && ends == 1).then_some("close")
    });
    assert_eq!(send(port, &["a@b.test"], &clean("third")), [250, 451]);
    assert_eq!(hop.all().len(), 2);
    // Nor is it handed over where its recipients are not taken any more.
    let mut asked = 0;
    hop.answers(move |line| {
        asked += usize::from(line == "DATA");
        match line {
            "DATA" if asked == 1 => Some("close"),
            line if line.starts_with("RCPT") && asked == 1 => Some("550 5.1.1 gone"),
            _ => None,
        }
    });
    assert_eq!(send(port, &["a@b.test"], &clean("fourth")), [250, 451]);
    assert_eq!(hop.all().len(), 2);
}

/// Held copies: what cannot be read does not stand in the way of the others, and what was broken off before its end is
/// tried again.
#[test]
fn held_copies_do_not_hinder_each_other() {
    let place = Place::new();
    let hop = Hop::start();
    let mut ends = 0;
    hop.answers(move |line| {
        ends += usize::from(line == ".");
        (line == "." && ends % 2 == 0).then_some("452 4.3.1 full")
    });
    let (mut gateway, port) = relay(&place, &before(&hop), ROUTES);
    for id in ["older", "newer"] {
        let to = ["tag@hq.test", "strip@hq.test"];
        assert_eq!(send(port, &to, &malicious(id)), [250, 250, 250]);
    }
    let held = |gateway: &Gateway, id: &str| {
        let stored = gateway.quarantine();
        let undelivered = |entry: &&serde_json::Value| entry["route"] == "relay/undelivered";
        let mut found = stored.iter().filter(undelivered);
        found
            .find(|entry| id_of_entry(entry) == id)
            .unwrap()
            .clone()
    };
    let digest = held(&gateway, "newer")["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = place
        .0
        .join(format!("store/messages/{}/{digest}.z", &digest[..2]));
    std::fs::write(file, b"damaged").unwrap();
    // A round at every start. First the next hop leaves before the message.
    hop.answers(|line| (line == "DATA").then_some("close"));
    gateway.kill_and_restart();
    until("it was tried", || gateway.log().contains("taken=false"));
    hop.answers(|_| None);
    gateway.kill_and_restart();
    until("the other copy arrives", || hop.all().len() == 3);
    let mail = hop.all().pop().unwrap();
    assert_eq!(mail.to, ["strip@hq.test"]);
    assert!(String::from_utf8_lossy(&mail.data).contains("older@"));
    until("it is noted", || {
        held(&gateway, "older")["state"] == "released"
    });
    assert_eq!(held(&gateway, "newer")["state"], "held");
}

#[test]
fn lmtp_answers_for_each_recipient() {
    let place = Place::new();
    let hop = Hop::start();
    hop.answers(|line| match line {
        ". full@hq.test" => Some("452 4.2.2 full"),
        ". gone@hq.test" => Some("550 5.1.1 gone"),
        _ => None,
    });
    let (gateway, port) = relay(&place, &format!("lmtp:127.0.0.1:{}", hop.port), "");
    assert_eq!(
        send(
            port,
            &["full@hq.test", "a@hq.test", "gone@hq.test"],
            &clean("some")
        ),
        [250, 250, 250, 250]
    );
    let [mail] = hop.all().try_into().unwrap();
    assert_eq!(mail.to, ["a@hq.test"]);
    let [held] = gateway.quarantine().try_into().unwrap();
    assert_eq!(id_of_entry(&held), "some");
    assert_eq!(
        (
            held["state"].as_str(),
            held["envelope"]["recipients"].to_string()
        ),
        (
            Some("held"),
            "[\"full@hq.test\",\"gone@hq.test\"]".to_owned()
        )
    );
    // Nobody has it: the worst that may still go well is said.
    assert_eq!(
        send(port, &["gone@hq.test", "full@hq.test"], &clean("none")),
        [250, 250, 452]
    );
    assert_eq!(send(port, &["gone@hq.test"], &clean("none")), [250, 550]);
    assert_eq!(gateway.quarantine().len(), 1);

    // It breaks off between two answers: what it said holds, the rest is held.
    hop.answers(|line| (line == ". b@hq.test").then_some("close"));
    let to = ["a@hq.test", "b@hq.test", "c@hq.test"];
    assert_eq!(send(port, &to, &clean("cut")), [250, 250, 250, 250]);
    assert_eq!(hop.all().len(), 2);
    let stored = gateway.quarantine();
    let cut = stored.iter().find(|entry| id_of_entry(entry) == "cut");
    assert_eq!(
        cut.unwrap()["envelope"]["recipients"].to_string(),
        "[\"b@hq.test\",\"c@hq.test\"]"
    );
}

#[test]
fn who_the_client_is_goes_from_believed_peers_to_the_next_hop() {
    let place = Place::new();
    let hop = Hop::start();
    hop.offers(&["XFORWARD NAME ADDR PROTO HELO IDENT"]);
    let (gateway, port) = relay(
        &place,
        &before(&hop),
        "xforward_from = [\"127.0.0.1\"]\nmode = \"after-queue\"\n[[route]]\nname = \"far\"\nclient = [\"198.51.100.0/24\"]\n[route.actions]\nmalicious = \"reject\"\n",
    );
    let mut talk = Talk::to(port);
    assert!(
        talk.say("EHLO mx")
            .contains("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n")
    );
    let lines = [
        "XFORWARD NAME=[UNAVAILABLE] ADDR=198.51.100.9",
        "XFORWARD HELO=far+2Bx IDENT=4Q1",
        "MAIL FROM:<a@b>",
        "RCPT TO:<c@d>",
        "DATA",
    ];
    assert_eq!(talk.codes(&lines), [250, 250, 250, 250, 354]);
    talk.write(&data(&clean("far")));
    assert_eq!(code(&talk.answer()), 250);
    let seen = hop.seen();
    let said = "1 XFORWARD NAME=[UNAVAILABLE] ADDR=198.51.100.9 PROTO=[UNAVAILABLE] HELO=far+2Bx IDENT=4Q1";
    assert!(seen.iter().any(|line| line == said), "{seen:?}");
    let log = gateway.log();
    assert!(
        log.contains("client=\"198.51.100.9\"")
            && log.contains("queue_id=\"4Q1\"")
            && log.contains("route=\"far\""),
        "{log}"
    );
    // For that message only; and after a queue nothing is refused for good.
    assert_eq!(
        talk.codes(&[
            "XFORWARD ADDR=198.51.100.9",
            "MAIL FROM:<a@b>",
            "RCPT TO:<c@d>",
            "DATA"
        ]),
        [250, 250, 250, 354]
    );
    talk.write(&data(&malicious("refused")));
    assert!(talk.answer().starts_with("250 2.0.0 Ok: kept by sekisho"));
    let [kept] = gateway.quarantine().try_into().unwrap();
    assert_eq!(
        (kept["action"].as_str(), kept["state"].as_str()),
        (Some("quarantine"), Some("quarantined"))
    );
}

#[test]
fn mails_that_go_round_are_refused_and_the_relay_is_not_its_own_next_hop() {
    let place = Place::new();
    let hop = Hop::start();
    let (_gateway, port) = relay(&place, &before(&hop), "");
    let hops = |count: usize| [b"Received: by x\r\n".repeat(count), clean("round")].concat();
    assert_eq!(send(port, &["a@b"], &hops(49)), [250, 250]);
    assert_eq!(send(port, &["a@b"], &hops(50)), [250, 554]);
    // What passed here again and again.
    let mut mail = clean("again");
    for _ in 0..4 {
        assert_eq!(send(port, &["a@b"], &mail), [250, 250]);
        mail = hop.all().pop().unwrap().data;
    }
    assert_eq!(send(port, &["a@b"], &mail), [250, 554]);

    let place = Place::new();
    let port = free_port();
    let table =
        format!("[relay]\nlisten = \"127.0.0.1:{port}\"\nnext_hop = \"localhost:{port}\"\n");
    let gateway = Gateway::start(&place, &table);
    let mut talk = Talk::to(port);
    assert_eq!(code(&talk.say("EHLO c")), 421);
    assert!(
        gateway.log().contains("it is this relay itself"),
        "{}",
        gateway.log()
    );
}

#[test]
fn hostile_clients_are_bounded() {
    let place = Place::new();
    let hop = Hop::start();
    hop.offers(&["SIZE 1000"]);
    let (gateway, port) = relay(&place, &before(&hop), "");
    // Larger than the next hop takes, said or not.
    let mut talk = Talk::to(port);
    let codes = talk.codes(&[
        "EHLO c",
        "MAIL FROM:<a@b> SIZE=1001",
        "MAIL FROM:<a@b>",
        "RCPT TO:<c@d>",
        "DATA",
    ]);
    assert_eq!(codes, [250, 552, 250, 250, 354]);
    talk.write(&data(&b"x\r\n".repeat(100_000)));
    assert_eq!(code(&talk.answer()), 552);
    // Lines without an end, nonsense without an end.
    talk.write(&[b'a'; 100_000]);
    assert_eq!(code(&talk.say("")), 500);
    talk.write(&b"HELP\r\n".repeat(100));
    let rest = talk.rest();
    assert!(
        rest.contains("\r\n421 4.7.0 too many errors\r\n") && rest.matches("502").count() < 25,
        "{rest}"
    );
    // A client that says all and closes its side still hears the answer; one that leaves within a message sends nothing.
    let mut half = Talk::to(port);
    half.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n");
    half.stream.shutdown(Shutdown::Write).unwrap();
    assert!(half.rest().ends_with("250 2.0.0 taken\r\n"));
    let mut left = Talk::to(port);
    left.write(b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\n");
    left.stream.shutdown(Shutdown::Write).unwrap();
    left.rest();
    assert_eq!(hop.all().len(), 1);
    assert!(gateway.get("/healthz").unwrap().contains("200 OK"));
}
