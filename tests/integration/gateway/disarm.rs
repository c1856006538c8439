//! Documents disarmed on their way: through Postfix before and after the relay, with macros that are allowed, and
//! released from the store as they came and without their macros.

use super::host::{Gateway, NextHop, Place, Postfix, free_port, send, until};
use super::milter::{as_sent, id_of_entry, named};
use crate::build;
use crate::support::Folder;

const WORD: &str = "Content-Type: application/vnd.ms-word.document.macroEnabled.12; name=\"a.docm\"\nContent-Disposition: attachment; filename=\"a.docm\"\nContent-Transfer-Encoding: base64";
const PLAIN: &str = "Content-Type: application/octet-stream; name=\"plain.docx\"\nContent-Disposition: attachment; filename=\"plain.docx\"\nContent-Transfer-Encoding: base64";
const ROUTE: &str = "[[route]]\nname = \"disarmed\"\nclient = [\"127.0.0.0/8\"]\n[route.actions]\n\
    malicious = \"disarm\"\nsuspicious = \"disarm\"\nmacros = \"disarm\"\n";

/// A document with a macro that runs a program.
fn document() -> Vec<u8> {
    let code = "Sub AutoOpen()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
    build::docm("Report", &[("Module1", build::module("Module1", code))])
}

/// A mail with that and a harmless neighbour, and the neighbour's body.
fn mail(id: &str) -> (Vec<u8>, String) {
    let plain = build::attachment(PLAIN, &build::docx("Plain"));
    let neighbour = String::from_utf8(plain.body.clone()).unwrap();
    let parts = [build::attachment(WORD, &document()), plain];
    (named(&build::mail("x", &parts), id), neighbour)
}

fn found(mail: &[u8]) -> (String, usize) {
    let folder = Folder::new();
    folder.file("got.eml", mail);
    let report = folder.run(&["scan", "got.eml", "--format", "json"]).json();
    let findings = report["findings"].as_array().unwrap().len();
    (report["level"].as_str().unwrap().to_owned(), findings)
}

/// Whether a mail is the other one with its document disarmed and a notice in both languages.
fn is_disarmed(got: &str, neighbour: &str, ticket: &str) {
    let word = WORD.replace('\n', "\r\n");
    assert!(got.contains(&format!("{word}\r\n\r\n")), "{got}");
    assert!(got.contains(neighbour), "{got}");
    let said = got.replace("=\r\n", "");
    assert!(
        said.contains(&format!("give this number: {ticket}")),
        "{said}"
    );
    assert!(said.contains("word/vbaProject.bin"), "{said}");
    assert!(said.contains("=E3=83=9E=E3=82=AF=E3=83=AD"), "{said}");
    assert_eq!(found(got.as_bytes()), ("clean".to_owned(), 0));
}

fn through_the_relay(mode: &str) {
    let place = Place::new();
    let (relay, back) = (free_port(), free_port());
    let hop = NextHop::start();
    let postfix = match mode {
        "before-queue" => Postfix::before_queue(relay, back, hop.port),
        _ => Postfix::after_queue(relay, back, hop.port),
    };
    let Some(postfix) = postfix else {
        return;
    };
    let table = format!(
        "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{back}\"\nmode = \"{mode}\"\n\
         xforward_from = [\"127.0.0.1\"]\n[release]\nnext_hop = \"127.0.0.1:{}\"\n{ROUTE}",
        hop.port
    );
    let gateway = Gateway::start(&place, &table);
    let (sent, neighbour) = mail("disarm");
    let said = send(postfix.port, &["a@hq.test"], &sent).unwrap();
    assert!(said.starts_with("250 "), "{said}");
    until("the mail arrives", || !hop.all().is_empty());
    let arrived = String::from_utf8(as_sent(&hop.all()[0])).unwrap();
    let listed = gateway.quarantine();
    let entry = listed.iter().find(|entry| id_of_entry(entry) == "disarm");
    let entry = entry.unwrap();
    assert_eq!(entry["action"], "disarm");
    let ticket = entry["id"].as_str().unwrap();
    is_disarmed(&arrived, &neighbour, ticket);

    // The original on request, and once more what was delivered.
    let released = gateway.run(&["quarantine", "release", ticket]);
    assert!(released.status.success(), "{released:?}");
    until("the original arrives", || hop.all().len() >= 2);
    assert_eq!(as_sent(&hop.all()[1]), sent);
    let released = gateway.run(&["quarantine", "release", ticket, "--cleaned", "--again"]);
    assert!(released.status.success(), "{released:?}");
    until("the cleaned one arrives", || hop.all().len() >= 3);
    let cleaned = String::from_utf8(as_sent(&hop.all()[2])).unwrap();
    is_disarmed(&cleaned, &neighbour, ticket);
}

#[test]
fn a_document_is_disarmed_before_the_queue_and_released() {
    through_the_relay("before-queue");
}

#[test]
fn a_document_is_disarmed_after_the_queue_and_released() {
    through_the_relay("after-queue");
}

/// Macros that are listed stay, for the senders and until the day that the allowance names.
#[test]
fn macros_that_are_allowed_arrive_as_they_were_sent() {
    let folder = Folder::new();
    folder.file("a.docm", document());
    let report = folder.run(&["scan", "a.docm", "--format", "json"]).json();
    let artifacts = report["artifacts"].as_array().unwrap();
    let hash = artifacts.iter().find_map(|one| one["vba_hash"].as_str());
    let hash = hash.unwrap();
    let (sent, _) = mail("allowed");
    for (conditions, expires, stays) in [
        ("", "2999-12-31", true),
        (
            "client = [\"127.0.0.0/8\"]\nfrom = [\"taro@*\"]\n",
            "2999-12-31",
            true,
        ),
        (
            "client = [\"127.0.0.0/8\"]\nfrom = [\"jiro@*\"]\n",
            "2999-12-31",
            false,
        ),
        ("client = [\"192.0.2.0/24\"]\n", "2999-12-31", false),
        ("", "2020-01-01", false),
    ] {
        let place = Place::new();
        let (hop, relay) = (NextHop::start(), free_port());
        let table = format!(
            "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{}\"\nmode = \"before-queue\"\n{ROUTE}\
             [[allow]]\nvba = \"{hash}\"\n{conditions}reason = \"form 12\"\nexpires = {expires}\n",
            hop.port
        );
        let gateway = Gateway::start(&place, &table);
        let said = send(relay, &["a@hq.test"], &sent).unwrap();
        assert!(said.starts_with("250 "), "{said}");
        until("the mail arrives", || !hop.all().is_empty());
        let arrived = as_sent(&hop.all()[0]);
        assert_eq!(arrived == sent, stays, "{conditions}{expires}");
        assert_eq!(gateway.quarantine().len(), usize::from(!stays));
        assert_eq!(
            gateway.log().contains("form 12"),
            stays,
            "{}",
            gateway.log()
        );
    }
}
