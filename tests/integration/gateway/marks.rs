//! The mark before the subject of mails that are tagged: by a milter for all, by the relay for those whose route asks.

use super::hop::Hop;
use super::host::{Delivered, Gateway, NextHop, Place, Postfix, free_port, send, until};
use super::milter::{as_sent, clean, malicious};

const ROUTES: &str = "\
[[route]]\nname = \"marked\"\nclient = [\"127.0.0.0/8\"]\nto = [\"mark@*\"]\nsubject_mark = \"[注意]\"\n[route.actions]\nmalicious = \"tag\"\nsuspicious = \"tag\"\n\
[[route]]\nname = \"tagged\"\nclient = [\"127.0.0.0/8\"]\nto = [\"tag@*\"]\n[route.actions]\nmalicious = \"tag\"\nsuspicious = \"tag\"\n";

/// What was sent, with the mark before its subject.
fn with_mark(mail: &[u8]) -> String {
    let text = String::from_utf8(mail.to_vec()).unwrap();
    text.replacen("Subject: ", "Subject: =?UTF-8?B?W+azqOaEj10g?= ", 1)
}

fn arrived(mail: &Delivered) -> String {
    String::from_utf8(as_sent(mail)).unwrap()
}

#[test]
fn a_route_may_have_tagged_mails_marked_in_their_subject() {
    let place = Place::new();
    let (relay, back) = (free_port(), Hop::start());
    let more = format!(
        "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{}\"\n{ROUTES}",
        back.port
    );
    let gateway = Gateway::start(&place, &more);
    let mail = malicious("marked");

    // By the relay each gets what the own route says; what is clean has no mark.
    let said = send(relay, &["mark@hq.test", "tag@hq.test"], &mail).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    let mut copies = back.all();
    copies.sort_by(|a, b| a.to.cmp(&b.to));
    let [marked, tagged] = &copies[..] else {
        panic!("{copies:?}");
    };
    assert_eq!(
        (arrived(marked), &marked.to[0][..]),
        (with_mark(&mail), "mark@hq.test")
    );
    assert_eq!(
        (as_sent(tagged), &tagged.to[0][..]),
        (mail.clone(), "tag@hq.test")
    );
    let said = send(relay, &["mark@hq.test"], &clean("clean")).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    assert!(!arrived(&back.all()[2]).contains("=?"));

    // A milter has one message for all.
    let hop = NextHop::start();
    let Some(postfix) = Postfix::start(gateway.milter, hop.port) else {
        return;
    };
    let said = send(postfix.port, &["tag@hq.test", "mark@hq.test"], &mail).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("it arrives", || !hop.all().is_empty());
    assert_eq!(arrived(&hop.all()[0]), with_mark(&mail));
}
