//! Damaged transcripts of every protocol against a running server: it stays, answers or closes, and keeps no memory.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::clamd::{SAMPLES, instream, sample};
use super::hop::{Hop, code};
use super::host::{Gateway, Place, free_port, until};
use super::milter::{ROUTES, clean, malicious};
use super::relay::{before, relay, send};
use crate::bench::Dice;
use crate::mutate::{mutate, number};

/// What the server may grow by between a quarter of the sessions and the last, in KiB: pages of an allocator that has
/// not met its largest load yet, not what a session leaves behind.
const GROWTH: u64 = 24 << 10;

/// Nothing is remembered of attachments: that grows up to a limit of its own.
const FORGETFUL: &str = "[scan]\nmax_remembered = \"0\"\n";

/// Who is attacked, and with what.
struct Storm<'a> {
    gateway: &'a Gateway,
    /// The listener's name in the metrics.
    listener: &'static str,
    port: u16,
    transcripts: Vec<Vec<u8>>,
    /// Whether an answer is one that the protocol has.
    is_answer: fn(&[u8]) -> bool,
}

impl Storm<'_> {
    /// Holds damaged sessions, one after the other: some leave in the middle, the others hear the server out.
    fn rage(&self) {
        let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
        let rounds = number("SEKISHO_FUZZ_ROUNDS").unwrap_or(if full { 20_000 } else { 400 });
        let mut settled = 0;
        for round in 0..rounds {
            let mut dice = Dice::new(u64::try_from(round).unwrap() + 99);
            let mut data = self.transcripts[dice.below(self.transcripts.len())].clone();
            let other = &self.transcripts[dice.below(self.transcripts.len())];
            for _ in 0..=dice.below(4) {
                mutate(&mut data, other, &mut dice);
            }
            let stays = dice.below(4) > 0;
            if let Err(what) = self.session(&data, stays) {
                panic!("{} round {round}: {what}\n{data:?}", self.listener);
            }
            if round == rounds / 4 {
                settled = resident(self.gateway);
            }
        }
        until("all memory and all connections are given back", || {
            let metrics = self.gateway.get("/metrics").unwrap_or_default();
            let none = format!("sekisho_connections{{listener=\"{}\"}} 0\n", self.listener);
            metrics.contains("sekisho_memory_admitted_bytes 0\n")
                && (self.listener == "http" || metrics.contains(&none))
        });
        let ended = resident(self.gateway);
        println!(
            "{}: {rounds} sessions, {settled} KiB after a quarter, {ended} KiB at the end",
            self.listener
        );
        assert!(
            ended.saturating_sub(settled) < GROWTH,
            "grew from {settled} to {ended} KiB"
        );
        let log = self.gateway.log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// One session; an error where the server is silent or says what no server says.
    fn session(&self, data: &[u8], stays: bool) -> Result<(), String> {
        let connected = TcpStream::connect(("127.0.0.1", self.port));
        let mut stream = connected.map_err(|error| error.to_string())?;
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        stream.set_write_timeout(patience).unwrap();
        // The server may have closed before all was sent.
        let _ = stream.write_all(data);
        if !stays {
            return Ok(());
        }
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        // An end or a reset, no silence.
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err("silence".to_owned()),
            Ok(_) if !(self.is_answer)(&answer) => {
                Err(format!("answered {:?}", String::from_utf8_lossy(&answer)))
            }
            _ => Ok(()),
        }
    }
}

/// Memory of the gateway in KiB.
fn resident(gateway: &Gateway) -> u64 {
    let status = format!("/proc/{}/status", gateway.child.id());
    let status = std::fs::read_to_string(status).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.unwrap().split_whitespace().nth(1);
    words.unwrap().parse().unwrap()
}

/// Whether every line starts with a code.
fn is_smtp(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.lines().all(|line| code(line) >= 200)
}

/// Whether it is frames up to its end.
fn is_milter(mut answer: &[u8]) -> bool {
    while let Some((length, rest)) = answer.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        if length == 0 || length > rest.len() {
            return false;
        }
        answer = &rest[length..];
    }
    answer.is_empty()
}

/// What an MTA says for messages, one after the other in one connection.
fn milter_transcript(mails: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut frame = |command: u8, data: &[u8]| {
        out.extend(u32::try_from(data.len() + 1).unwrap().to_be_bytes());
        out.push(command);
        out.extend(data);
    };
    frame(b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
    frame(b'D', b"Cj\0mx.test\0");
    frame(b'C', b"client.test\x004\0\x19127.0.0.1\0");
    frame(b'H', b"client.test\0");
    for mail in mails {
        frame(b'D', b"Mi\0Q1\0{auth_authen}\0taro\0");
        frame(b'M', b"<taro@branch.test>\0SIZE=1\0");
        frame(b'R', b"<a@hq.test>\0");
        let text = String::from_utf8_lossy(mail);
        let (header, body) = text.split_once("\r\n\r\n").unwrap();
        for line in header.replace("\r\n ", "\n ").split("\r\n") {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            frame(b'L', format!("{name}\0{value}\0").as_bytes());
        }
        frame(b'N', b"");
        for piece in body.as_bytes().chunks(2000) {
            frame(b'B', piece);
        }
        frame(b'E', b"");
        frame(b'A', b"");
    }
    frame(b'Q', b"");
    out
}

#[test]
fn damaged_sessions_of_the_relay_leave_nothing_behind() {
    let place = Place::new();
    let hop = Hop::start();
    let more = format!("xforward_from = [\"127.0.0.1\"]\n{FORGETFUL}");
    let (gateway, port) = relay(&place, &before(&hop), &more);
    let head = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n";
    let mail = |mail: Vec<u8>| [head.as_slice(), &mail, b".\r\nQUIT\r\n"].concat();
    let transcripts = vec![
        b"EHLO c\r\nXFORWARD ADDR=192.0.2.1 HELO=x\r\nMAIL FROM:<a@b> SIZE=10\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n".to_vec(),
        b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 6\r\na: b\r\nBDAT 4 LAST\r\n\r\nx\nRSET\r\nNOOP\r\nQUIT\r\n".to_vec(),
        b"XCLIENT ADDR=192.0.2.1 LOGIN=a\r\nHELO c\r\nMAIL FROM:<\"a>b\"@c>\r\nRCPT TO:<@x:c@d>\r\nVRFY a\r\nDATA\r\n.\r\nSTARTTLS\r\n".to_vec(),
        mail(clean("clean")),
        mail(malicious("malicious")),
    ];
    let storm = Storm {
        gateway: &gateway,
        listener: "relay",
        port,
        transcripts,
        is_answer: is_smtp,
    };
    storm.rage();
    assert_eq!(send(port, &["a@b"], &clean("after")), [250, 250]);
}

#[test]
fn damaged_sessions_of_the_milter_leave_nothing_behind() {
    let place = Place::new();
    let gateway = Gateway::start(&place, &format!("{FORGETFUL}{ROUTES}"));
    let mails = [clean("clean"), malicious("malicious"), clean("last")];
    let storm = Storm {
        gateway: &gateway,
        listener: "milter",
        port: gateway.milter,
        transcripts: vec![
            milter_transcript(&mails),
            milter_transcript(&mails[1..2]),
            milter_transcript(&mails[..1]),
        ],
        is_answer: is_milter,
    };
    storm.rage();
    // A sound session after all that: two mails go on, one does not.
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.milter)).unwrap();
    stream.write_all(&milter_transcript(&mails)).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let said = String::from_utf8_lossy(&answer);
    assert_eq!(said.matches("\0 clean; score=0").count(), 2, "{said:?}");
}

#[test]
fn damaged_sessions_of_scanning_clients_leave_nothing_behind() {
    let (port, olefy) = (free_port(), free_port());
    let place = Place::new();
    let more = format!(
        "[clamd]\nlisten = \"127.0.0.1:{port}\"\nroots = [\"{SAMPLES}\"]\nmax_stream = \"1MiB\"\n\
         [olefy]\nlisten = \"127.0.0.1:{olefy}\"\n{FORGETFUL}timeout = 5\n"
    );
    let gateway = Gateway::start(&place, &more);
    let mut session = b"zIDSESSION\0zPING\0zVERSION\0".to_vec();
    session.extend(instream(&sample("meeting-notes.eml")));
    session.extend(format!("zALLMATCHSCAN {SAMPLES}\0zSTATS\0zFILDES\0\0zEND\0").bytes());
    let request = b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: 5f\n\n".to_vec();
    let clamd = Storm {
        gateway: &gateway,
        listener: "clamd",
        port,
        transcripts: vec![
            session,
            instream(&sample("locked-contract.eml")),
            b"nPING\nnSCAN /etc/passwd\n".to_vec(),
        ],
        is_answer: |_| true,
    };
    clamd.rage();
    let olefy = Storm {
        listener: "olefy",
        port: olefy,
        transcripts: vec![
            [request, sample("price-list.xlsx")].concat(),
            b"PING\n\n".to_vec(),
        ],
        ..clamd
    };
    olefy.rage();
    let http = Storm {
        listener: "http",
        port: gateway.http,
        transcripts: vec![
            b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"HEAD /readyz?a HTTP/1.0\r\nConnection: close\r\n\r\n".to_vec(),
        ],
        ..olefy
    };
    http.rage();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"zPING\0").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "PONG\0");
}
