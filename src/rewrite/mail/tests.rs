use super::*;
use crate::engine::{Engine, Input, Worker};
use crate::knowledge::Knowledge;
use crate::limits::Limits;
use crate::rules::{Rules, Strictness};
use crate::score::Thresholds;

const EXE: &str =
    "TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAA==";

fn tree(message: &str) -> Vec<Artifact> {
    let engine = Engine {
        rules: Rules::compile([], Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    };
    let input = Input {
        path: "mail.eml".to_owned(),
        data: Bytes::copy_from_slice(message.as_bytes()),
        ..Input::default()
    };
    Worker::new(&engine).scan(input).artifacts
}

/// Takes out every artifact with a name that holds `name`.
fn without(message: &str, name: &str, break_signatures: bool) -> Result<String, Refused> {
    let tree = tree(message);
    let named = tree
        .iter()
        .filter(|artifact| artifact.label().contains(name));
    let targets: BTreeSet<Id> = named.map(|artifact| artifact.id).collect();
    assert!(!targets.is_empty(), "{tree:?}");
    let order = Order {
        tree: &tree,
        root: 0,
        targets: &targets,
        replaced: &BTreeMap::new(),
        break_signatures,
        notice: &|part, _| format!("NOTICE {}\n", part.label()),
        line: &|part| format!("[{} was here]", part.label()),
    };
    let budget = Budget::new(Limits::default(), None);
    let rewritten = rewrite(&order, &budget)?;
    Ok(String::from_utf8(rewritten.message.to_vec()).unwrap())
}

fn attachment(name: &str, body: &str) -> String {
    format!(
        "Content-Type: application/octet-stream; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
    )
}

fn mixed(boundary: &str, parts: &[&str]) -> String {
    let parts = parts
        .iter()
        .map(|part| format!("--{boundary}\r\n{part}\r\n"));
    format!(
        "From: a@b.test\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary={boundary}\r\n\r\npreamble\r\n{}--{boundary}--\r\nend\r\n",
        parts.collect::<String>()
    )
}

const TEXT: &str = "Content-Type: text/plain\r\n\r\nDear all,  \r\n.\r\nsee below\r\n";

#[test]
fn a_part_is_replaced_and_every_other_byte_stays() {
    let bad = attachment("bad.exe", EXE);
    let good = attachment("good.bin", "AAECAwQFBgc=");
    let message = mixed("b", &[TEXT, &bad, &good]);
    let out = without(&message, "bad.exe", false).unwrap();
    let (before, after) = message.split_once(&bad).unwrap();
    let middle = out
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    let middle = middle.unwrap_or_else(|| panic!("{out}"));
    assert!(middle.starts_with("Content-Type: text/plain; charset=utf-8\r\n"));
    assert!(middle.contains("\r\n\r\nNOTICE bad.exe\r\n"), "{middle}");
    assert!(!middle.contains(EXE));
}

#[test]
fn equal_bytes_go_wherever_they_stand() {
    let zip = attachment("first.exe", EXE);
    let again = attachment("other.dat", EXE);
    let message = mixed("b", &[TEXT, &zip, &again]);
    let out = without(&message, "first.exe", false).unwrap();
    assert!(!out.contains(EXE), "{out}");
    assert!(out.contains("NOTICE other.dat"));
}

#[test]
fn a_mail_of_one_part_keeps_its_header_but_for_what_it_says_of_the_content() {
    let message = format!(
        "From: a@b.test\r\nContent-Type: application/octet-stream;\r\n name=\"bad.exe\"\r\nSubject: two\r\n lines\r\n\
         Content-Transfer-Encoding: base64\r\nX-Last: yes\r\n\r\n{EXE}\r\n"
    );
    let out = without(&message, "bad.exe", false).unwrap();
    let expected = "From: a@b.test\r\nSubject: two\r\n lines\r\nX-Last: yes\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
    assert!(out.starts_with(expected), "{out}");
    assert!(out.ends_with("\r\n\r\nNOTICE bad.exe\r\n"), "{out}");
}

#[test]
fn a_nested_mail_is_edited_inside() {
    let bad = attachment("bad.exe", EXE);
    let inner = mixed("in", &[TEXT, &bad]);
    let nested = format!("Content-Type: message/rfc822\r\n\r\n{inner}");
    let message = mixed("out", &[TEXT, &nested, TEXT]);
    let out = without(&message, "bad.exe", false).unwrap();
    let (before, after) = message.split_once(&bad).unwrap();
    assert!(out.starts_with(before) && out.ends_with(after), "{out}");
    assert!(out.contains("NOTICE bad.exe"));
}

#[test]
fn a_block_in_a_text_is_replaced_alone() {
    let block = "begin 644 bad.exe\r\n#0V%T\r\n`\r\nend\r\n";
    let message = format!("From: a@b.test\r\nSubject: x\r\n\r\nDear all,\r\n{block}bye\r\n");
    let out = without(&message, "bad.exe", false).unwrap();
    assert_eq!(out, message.replace(block, "[bad.exe was here]\r\n"));
}

#[test]
fn what_is_signed_stays_unless_that_is_allowed() {
    let bad = attachment("bad.exe", EXE);
    let inner = mixed("in", &[TEXT, &bad]);
    let content = inner.split_once("MIME-Version: 1.0\r\n").unwrap().1;
    let signature = attachment("smime.p7s", "AAECAwQFBgc=");
    let message = mixed("s", &[content, &signature]).replace(
        "multipart/mixed; boundary=s",
        "multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s",
    );
    assert_eq!(without(&message, "bad.exe", false), Err(Refused::Signed));
    let out = without(&message, "bad.exe", true).unwrap();
    assert!(out.contains("NOTICE bad.exe") && out.contains("smime.p7s"));
}

#[test]
fn the_message_itself_is_not_taken_out() {
    let message = mixed("b", &[TEXT]);
    let tree = tree(&message);
    let targets = BTreeSet::from([0]);
    let order = Order {
        tree: &tree,
        root: 0,
        targets: &targets,
        replaced: &BTreeMap::new(),
        break_signatures: false,
        notice: &|_, _| String::new(),
        line: &|_| String::new(),
    };
    let budget = Budget::new(Limits::default(), None);
    assert_eq!(rewrite(&order, &budget), Err(Refused::Whole));
}

#[test]
fn lines_end_as_they_did() {
    let bad = attachment("bad.exe", EXE);
    let message = mixed("b", &[TEXT, &bad]).replace("\r\n", "\n");
    let out = without(&message, "bad.exe", false).unwrap();
    assert!(!out.contains('\r'));
}
