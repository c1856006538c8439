//! Transcripts: what an MTA sends, what comes back.

use super::*;

fn negotiated(version: u32, offered: u32, silent: u32) -> Session {
    let mut session = Session::default();
    let answer = session.take(Command::Negotiate {
        version,
        actions: Bits(offered),
        steps: Bits(silent),
    });
    assert!(matches!(answer, Step::Answer(Reply::Negotiate { .. })));
    session
}

fn postfix() -> Session {
    negotiated(6, 0x1ff, 0x1f_ffff)
}

fn header(name: &str, value: &str) -> Command {
    Command::Header {
        name: name.into(),
        value: value.into(),
    }
}

fn text(bytes: &str) -> Vec<u8> {
    bytes.as_bytes().to_vec()
}

fn send(session: &mut Session, commands: Vec<Command>) -> Vec<Step> {
    commands
        .into_iter()
        .map(|command| session.take(command))
        .collect()
}

fn macros(values: &[(&str, &str)]) -> Command {
    Command::Macros {
        stage: Stage::Mail,
        values: values.iter().map(|(k, v)| (text(k), text(v))).collect(),
    }
}

/// A message of two recipients, up to its end.
fn message(session: &mut Session) -> Mail {
    let steps = send(
        session,
        vec![
            macros(&[("i", "Q1"), ("auth_authen", "taro")]),
            Command::Mail(vec![text("<a@b.example>"), text("SIZE=1")]),
            Command::Rcpt(vec![text("<c@d.example>")]),
            Command::Rcpt(vec![text("<\"e f\"@d.example>"), text("NOTIFY=NEVER")]),
            Command::Data,
            header("Subject", " one\n two"),
            header("X-Sekisho-Verdict", " clean"),
            header("x-sekisho-verdict", " clean too"),
            header("Content-Type", " text/plain"),
            Command::EndOfHeader,
            Command::Body(text("body\r\n")),
        ],
    );
    assert!(steps.iter().all(|step| *step == Step::Read), "{steps:?}");
    let Step::Judge(mail) = session.take(Command::EndOfMessage(text("end\r\n"))) else {
        panic!("no message");
    };
    *mail
}

#[test]
fn a_message_is_put_together_as_it_was() {
    let mut session = postfix();
    session.take(Command::Connect {
        host: text("mx"),
        family: b'6',
        address: text("IPv6:2001:db8::1"),
    });
    session.take(Command::Helo(text("mx.example")));
    let mail = message(&mut session);
    assert_eq!(
        mail.message.unwrap(),
        "Subject: one\r\n two\r\nX-Sekisho-Verdict: clean\r\nx-sekisho-verdict: clean too\r\nContent-Type: text/plain\r\n\r\nbody\r\nend\r\n"
    );
    let envelope = mail.envelope;
    assert_eq!(envelope.client, "2001:db8::1".parse().ok());
    assert_eq!(
        (envelope.sender.as_str(), envelope.queue_id.as_str()),
        ("a@b.example", "Q1")
    );
    assert_eq!(envelope.recipients, ["c@d.example", "\"e f\"@d.example"]);
    assert_eq!(
        (envelope.user.as_deref(), envelope.helo.as_str()),
        (Some("taro"), "mx.example")
    );
    assert_eq!(mail.abilities, Abilities::ALL);
}

#[test]
fn nothing_is_asked_for_that_is_not_offered() {
    for (version, offered, silent, expected) in [
        (6, 0x1ff, 0x1f_ffff, (6, 0x11b, 0x1f_f180)),
        (6, 0x01, 0, (6, 0x01, 0)),
        (2, 0x3f, 0x7f, (2, 0x1b, 0)),
        // A liar: version 2 has no such steps.
        (2, 0x1ff, 0x1f_ffff, (2, 0x11b, 0)),
        (9, 0x1ff, u32::MAX, (6, 0x11b, 0x1f_f180)),
    ] {
        let step = Session::default().take(Command::Negotiate {
            version,
            actions: Bits(offered),
            steps: Bits(silent),
        });
        let Step::Answer(Reply::Negotiate {
            version,
            actions,
            steps,
            macros,
        }) = step
        else {
            panic!("{step:?}");
        };
        assert_eq!((version, actions.0, steps.0), expected);
        assert_eq!(!macros.is_empty(), actions.0 & 0x100 != 0);
    }
    let too_old = Command::Negotiate {
        version: 1,
        actions: Bits(0),
        steps: Bits(0),
    };
    assert_eq!(Session::default().take(too_old), Step::Close);
    assert_eq!(Session::default().take(Command::Data), Step::Close);
}

#[test]
fn every_stage_is_answered_where_silence_was_not_agreed_on() {
    let stages = || {
        vec![
            Command::Connect {
                host: text("mx"),
                family: b'U',
                address: Vec::new(),
            },
            Command::Helo(text("mx")),
            Command::Mail(vec![text("<>")]),
            Command::Rcpt(vec![text("<c@d>")]),
            Command::Data,
            header("Subject", "one"),
            Command::EndOfHeader,
            Command::Body(text("x")),
            Command::Unknown,
        ]
    };
    let mut talking = negotiated(2, 0x3f, 0x7f);
    let answers = send(&mut talking, stages());
    let go_on = Step::Answer(Reply::Continue);
    assert!(answers.iter().all(|step| *step == go_on), "{answers:?}");
    let Step::Judge(mail) = talking.take(Command::EndOfMessage(Vec::new())) else {
        panic!("no message");
    };
    // Without leave to keep it, the MTA took the blank away.
    assert_eq!(mail.message.unwrap(), "Subject: one\r\n\r\nx");
    assert!(mail.envelope.is_bounce());
    // Each flag by itself.
    for (at, bit) in [
        0x1000, 0x2000, 0x4000, 0x8000, 0x1_0000, 0x80, 0x4_0000, 0x8_0000, 0x2_0000,
    ]
    .into_iter()
    .enumerate()
    {
        let answers = send(&mut negotiated(6, 0x1ff, bit), stages());
        for (stage, answer) in answers.iter().enumerate() {
            assert_eq!(*answer == Step::Read, stage == at, "{bit:#x} {stage}");
        }
    }
}

#[test]
fn an_abort_ends_the_message_at_any_time_and_the_connection_goes_on() {
    let all = || {
        vec![
            macros(&[("i", "Q0"), ("auth_authen", "mallory")]),
            Command::Mail(vec![text("<x@y>")]),
            Command::Rcpt(vec![text("<z@y>")]),
            Command::Data,
            header("Secret", " of another"),
            Command::EndOfHeader,
            Command::Body(text("secret")),
        ]
    };
    for stage in 0..=all().len() {
        let mut session = postfix();
        let mut commands = all();
        commands.truncate(stage);
        send(&mut session, commands);
        assert_eq!(session.take(Command::Abort), Step::Read);
        assert_eq!(session.take(Command::Abort), Step::Read);
        assert_eq!(session.held(), 0);
        // Without any macro.
        session.take(Command::Mail(vec![text("<a@b>")]));
        let Step::Judge(mail) = session.take(Command::EndOfMessage(Vec::new())) else {
            panic!("no message");
        };
        assert_eq!(mail.message.unwrap(), "\r\n");
        assert_eq!(
            (mail.envelope.queue_id.as_str(), mail.envelope.user),
            ("", None)
        );
        assert!(mail.envelope.recipients.is_empty());
    }
}

#[test]
fn several_messages_and_clients_share_a_connection_and_nothing_else() {
    let mut session = postfix();
    session.take(Command::Connect {
        host: text("mx"),
        family: b'4',
        address: text("192.0.2.1"),
    });
    message(&mut session);
    assert_eq!(session.answers(&Answer::Discard), [Reply::Discard]);
    let second = message(&mut session);
    assert_eq!(second.envelope.recipients.len(), 2);
    assert_eq!(second.envelope.client, "192.0.2.1".parse().ok());
    session.answers(&Answer::Discard);
    assert_eq!(session.take(Command::QuitNewConnection), Step::Read);
    assert_eq!(message(&mut session).envelope.client, None);
    assert_eq!(session.take(Command::Quit), Step::Close);
}

#[test]
fn a_message_that_passes_loses_our_headers_and_gets_new_ones() {
    let mut session = postfix();
    message(&mut session);
    let changes = Changes {
        dropped: vec![1],
        added: vec![
            ("X-Sekisho-Verdict".to_owned(), "clean".to_owned()),
            ("X-Sekisho-Finding".to_owned(), "none".to_owned()),
        ],
        clean_own: true,
        message: None,
    };
    let change = |number, name: &str, value: &str| Reply::ChangeHeader {
        number,
        name: text(name),
        value: text(value),
    };
    let insert = |name: &str, value: &str| Reply::InsertHeader {
        place: 0,
        name: text(name),
        value: text(value),
    };
    assert_eq!(
        session.answers(&Answer::Pass(changes)),
        [
            change(2, "x-sekisho-verdict", ""),
            change(1, "X-Sekisho-Verdict", ""),
            insert("X-Sekisho-Finding", " none"),
            insert("X-Sekisho-Verdict", " clean"),
            Reply::DeleteRecipient(text("<\"e f\"@d.example>")),
            Reply::Continue,
        ]
    );
    message(&mut session);
    let untouched = Answer::Pass(Changes::default());
    assert_eq!(session.answers(&untouched), [Reply::Continue]);
}

#[test]
fn a_new_message_becomes_header_changes_and_one_run_of_body() {
    let mut session = postfix();
    message(&mut session);
    let body = vec![b'x'; CHUNK + 1];
    let mut new = b"Subject: one\r\n two\r\nX-Sekisho-Verdict: clean\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\nMIME-Version: 1.0\r\n\r\n".to_vec();
    new.extend(&body);
    let changes = Changes {
        message: Some(new.into()),
        ..Changes::default()
    };
    let replies = session.answers(&Answer::Pass(changes));
    assert_eq!(
        replies,
        [
            Reply::ChangeHeader {
                number: 1,
                name: text("Content-Type"),
                value: text(" multipart/mixed;\n boundary=b")
            },
            Reply::AddHeader {
                name: text("MIME-Version"),
                value: text(" 1.0")
            },
            Reply::ReplaceBody(vec![b'x'; CHUNK]),
            Reply::ReplaceBody(text("x")),
            Reply::Continue,
        ]
    );
}

#[test]
fn what_was_given_up_stays_so_until_the_next_message() {
    let mut session = postfix();
    session.take(Command::Mail(vec![text("<a@b>")]));
    session.take(Command::Body(text("much")));
    assert!(session.held() >= 4);
    session.give_up_message();
    session.take(Command::Body(text("more")));
    assert_eq!(session.held(), 0);
    let Step::Judge(mail) = session.take(Command::EndOfMessage(text("end"))) else {
        panic!("no message");
    };
    assert_eq!(mail.message, None);
    let text = "451 4.7.1 later".to_owned();
    let replies = session.answers(&Answer::Tempfail(text.clone()));
    assert_eq!(replies, [Reply::Code(text)]);
    assert!(message(&mut session).message.is_some());
}
