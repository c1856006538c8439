//! The protocol of clamd, literal bytes in and out.

use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::host::{Gateway, Place, until};
use crate::bench::Dice;
use crate::build;
use crate::build_archives;
use crate::fixtures::locked;

pub(super) const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/samples");

/// A gateway that speaks clamd on a UNIX socket.
pub(crate) struct Server {
    pub(crate) gateway: Gateway,
    pub(crate) socket: PathBuf,
    pub(crate) place: Place,
}

impl Server {
    pub(crate) fn start(more: &str) -> Self {
        let place = Place::new();
        let socket = place.0.join("clamd.sock");
        std::fs::create_dir(place.0.join("root")).unwrap();
        place.write("own.yar", "");
        let table = format!(
            "[clamd]\nlisten = \"unix:{}\"\nroots = [\"{}\", \"{SAMPLES}\"]\n{more}",
            socket.display(),
            place.0.join("root").display()
        );
        let gateway = Gateway::start(&place, &table);
        Self {
            gateway,
            socket,
            place,
        }
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
    }

    /// Sends bytes and gives what comes until the other side closes.
    fn ask(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        rest(&mut stream)
    }

    /// Sends a file as a stream.
    fn stream(&self, data: &[u8]) -> String {
        self.ask(&instream(data))
    }
}

fn rest(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

pub(super) fn instream(data: &[u8]) -> Vec<u8> {
    let mut bytes = b"zINSTREAM\0".to_vec();
    for chunk in data.chunks(1000) {
        bytes.extend(u32::try_from(chunk.len()).unwrap().to_be_bytes());
        bytes.extend(chunk);
    }
    bytes.extend([0; 4]);
    bytes
}

/// Sends a byte that carries descriptors.
fn pass(stream: &UnixStream, byte: &[u8], files: &[BorrowedFd<'_>]) {
    let mut space = [0; rustix::cmsg_space!(ScmRights(16))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(files)));
    let parts = [IoSlice::new(byte)];
    rustix::net::sendmsg(stream, &parts, &mut control, SendFlags::empty()).unwrap();
}

pub(super) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{SAMPLES}/{name}")).unwrap()
}

#[test]
fn every_command_is_answered_in_its_own_framing() {
    let server = Server::start("");
    let version = format!("sekisho {}/", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.ask(b"zPING\0"), "PONG\0");
    assert_eq!(server.ask(b"nPING\n"), "PONG\n");
    assert_eq!(server.ask(b"PING"), "PONG\n");
    assert!(server.ask(b"zVERSION\0").starts_with(&version));
    let commands = server.ask(b"nVERSIONCOMMANDS\n");
    assert!(commands.contains("| COMMANDS: ") && commands.contains(" INSTREAM"));
    let stats = server.ask(b"zSTATS\0");
    assert!(stats.starts_with("POOLS: 1\n\nSTATE: VALID PRIMARY\n") && stats.ends_with("\nEND\0"));
    for refused in [&b"zSHUTDOWN\0"[..], b"zRELOAD\0"] {
        assert_eq!(server.ask(refused), "COMMAND UNAVAILABLE\0");
    }
    for unknown in [
        &b"zNOSUCH\0"[..],
        b"zEND\0",
        b"zSCAN\0",
        b"zSCAN \0",
        b"zping\0",
    ] {
        assert_eq!(server.ask(unknown), "UNKNOWN COMMAND\0");
    }
    // One command a connection: what comes behind it is not looked at.
    assert_eq!(server.ask(b"zPING\0zPING\0"), "PONG\0");
    assert!(server.gateway.get("/healthz").unwrap().contains("200 OK"));
}

#[test]
fn a_session_answers_every_command_by_its_number() {
    let server = Server::start("");
    let mut talk = b"zIDSESSION\0zPING\0".to_vec();
    talk.extend(instream(&sample("meeting-notes.eml")));
    talk.extend(instream(&sample("invoice-with-macro.eml")));
    talk.extend(format!("zSCAN {SAMPLES}/price-list.xlsx\0").bytes());
    talk.extend(b"zEND\0zPING\0");
    let expected = format!(
        "1: PONG\x002: stream: OK\x003: stream: Sekisho.autostart-with-call FOUND\x004: {SAMPLES}/price-list.xlsx: OK\0"
    );
    assert_eq!(server.ask(&talk), expected);
    // Byte by byte, and with our side shut down before the answer.
    let mut stream = server.connect();
    for byte in talk {
        stream.write_all(&[byte]).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream), expected);
    // A session within a session is none.
    assert_eq!(
        server.ask(b"zIDSESSION\0zIDSESSION\0"),
        "1: UNKNOWN COMMAND\0"
    );
}

#[test]
fn what_could_not_be_looked_through_is_found_by_the_names_that_clients_know() {
    let server = Server::start("[scan]\nmax_unpacked = \"4MiB\"\nmax_depth = 3\n");
    let zip = |content: &[u8]| build::zip(&[("a.txt", content)]);
    let mut cut = zip(b"A text that is long enough to be cut somewhere in the middle of it.");
    cut.truncate(60);
    let nested = (0..6).fold(b"text".to_vec(), |inner, _| {
        build::zip(&[("inner.zip", &inner)])
    });
    let mut noise = Dice::new(5);
    let noise: Vec<u8> = (0..5 << 20)
        .map(|_| noise.roll().to_le_bytes()[0])
        .collect();
    let cases: [(Vec<u8>, &str); 5] = [
        (locked::archive("kanri-2026"), "Heuristics.Encrypted.Zip"),
        (
            build_archives::sevenz("a.txt", b"text", Some("kanri-2026")),
            "Heuristics.Encrypted.7Zip",
        ),
        (nested, "Heuristics.Limits.Exceeded.MaxRecursion"),
        (zip(&noise), "Heuristics.Limits.Exceeded.MaxScanSize"),
        (cut, "Sekisho.malformed-container"),
    ];
    for (data, expected) in cases {
        let expected = format!("stream: {expected} FOUND\0");
        assert_eq!(server.stream(&data), expected);
    }
    assert_eq!(server.stream(&zip(b"text")), "stream: OK\0");
    assert_eq!(server.stream(b""), "stream: OK\0");
}

#[test]
fn macros_have_clamavs_name_where_they_are_merely_there() {
    let route = "[[route]]\nname = \"no-macros\"\nlistener = [\"clamd\"]\n[route.actions]\nmacros = \"hold\"\n";
    let (server, strict) = (Server::start(""), Server::start(route));
    let code = "Sub Total()\nCells(1, 1).Value = 1\nEnd Sub\n";
    let docm = build::docm("text", &[("M", build::module("M", code))]);
    assert_eq!(server.stream(&docm), "stream: OK\0");
    let name = "stream: Heuristics.OLE2.ContainsMacros.VBA FOUND\0";
    assert_eq!(strict.stream(&docm), name);
    let code = "Sub AutoOpen()\nShell \"cmd /c calc\"\nEnd Sub\n";
    let docm = build::docm("text", &[("M", build::module("M", code))]);
    let name = "stream: Sekisho.autostart-with-call FOUND\0";
    assert_eq!(server.stream(&docm), name);
}

#[test]
fn a_stream_that_is_too_long_or_ends_early_is_never_ok() {
    let server = Server::start("max_stream = 5000\n");
    assert_eq!(server.stream(&[b'a'; 5000]), "stream: OK\0");
    let limit = "INSTREAM size limit exceeded. ERROR\0";
    assert_eq!(server.stream(&[b'a'; 5001]), limit);
    // A chunk that claims more than there is allocates nothing.
    let mut stream = server.connect();
    stream.write_all(b"zINSTREAM\0\xff\xff\xff\xffabc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream), "");
    // The head of a longer file is looked at, and the rest missed.
    let path = server.place.0.join("root/long.txt");
    std::fs::write(&path, [b'a'; 5001]).unwrap();
    let path = path.display();
    let found = format!("{path}: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0");
    assert_eq!(server.ask(format!("zSCAN {path}\0").as_bytes()), found);
}

#[test]
fn descriptors_are_read_whatever_their_path_allows() {
    let server = Server::start("");
    let ask = |files: &[BorrowedFd<'_>]| {
        let mut stream = server.connect();
        stream.write_all(b"zFILDES\0").unwrap();
        pass(&stream, b"\0", files);
        rest(&mut stream)
    };
    // A file without a path any more, opened at its end.
    let path = server.place.write("gone", "");
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    file.write_all(&sample("invoice-with-macro.eml")).unwrap();
    std::fs::remove_file(&path).unwrap();
    let answer = ask(&[file.as_fd()]);
    assert!(
        answer.starts_with("fd[") && answer.ends_with("]: Sekisho.autostart-with-call FOUND\0")
    );
    // What is no file is an error, and does not block.
    let (pipe, _writer) = std::io::pipe().unwrap();
    let answer = ask(&[pipe.as_fd()]);
    assert!(answer.ends_with("not a regular file. ERROR\0"), "{answer}");
    // Without a descriptor, and with more than there are commands.
    let answer = server.ask(b"zFILDES\0\0");
    assert_eq!(answer, "No file descriptor received. ERROR\0");
    let many = vec![file.as_fd(); 12];
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ask(&many)));
    // In a session, descriptors go with their commands.
    let clean = std::fs::File::open(format!("{SAMPLES}/meeting-notes.eml")).unwrap();
    let mut stream = server.connect();
    stream.write_all(b"zIDSESSION\0").unwrap();
    for file in [&clean, &file, &clean] {
        stream.write_all(b"zFILDES\0").unwrap();
        pass(&stream, b"\0", &[file.as_fd()]);
    }
    stream.write_all(b"zEND\0").unwrap();
    let answer = rest(&mut stream);
    let verdicts: Vec<&str> = answer
        .split_terminator('\0')
        .map(|line| line.split(": ").last().unwrap())
        .collect();
    assert_eq!(
        verdicts,
        ["OK", "Sekisho.autostart-with-call FOUND", "OK"],
        "{answer}"
    );
    assert!(server.gateway.get("/healthz").unwrap().contains("200 OK"));
}

#[test]
fn paths_are_scanned_beneath_the_roots_only() {
    let server = Server::start("");
    let root = server.place.0.join("root");
    let secret = server.place.write("secret", "outside");
    std::os::unix::fs::symlink(&secret, root.join("link")).unwrap();
    std::os::unix::fs::symlink(&server.place.0, root.join("folder")).unwrap();
    std::fs::create_dir(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/ok.txt"), "text").unwrap();
    let ask = |command: &str, path: &str| server.ask(format!("n{command} {path}\n").as_bytes());
    let shown = root.display();
    for outside in [
        secret.display().to_string(),
        "/etc/passwd".to_owned(),
        "etc/passwd".to_owned(),
        format!("{shown}/../secret"),
        format!("{shown}ed"),
    ] {
        let answer = ask("SCAN", &outside);
        let refusal = "not beneath a folder that may be scanned by path. ERROR\n";
        assert!(answer.ends_with(refusal), "{outside}: {answer}");
    }
    for linked in ["link", "folder/secret", "nosuch"] {
        let answer = ask("SCAN", &format!("{shown}/{linked}"));
        assert!(answer.ends_with(" ERROR\n"), "{linked}: {answer}");
    }
    assert_eq!(
        ask("SCAN", &format!("{shown}/sub/ok.txt")),
        format!("{shown}/sub/ok.txt: OK\n")
    );
    assert_eq!(
        ask("CONTSCAN", &shown.to_string()),
        format!("{shown}: OK\n")
    );
    // Up to the first, all, and all names.
    let lines = |command: &str| ask(command, SAMPLES).lines().count();
    assert_eq!(
        (lines("SCAN"), lines("CONTSCAN"), lines("MULTISCAN")),
        (1, 2, 2)
    );
    assert!(lines("ALLMATCHSCAN") > 2);
    // Names of hostile files are shown escaped: no line of their own.
    std::fs::write(root.join("a: OK\nb"), sample("invoice-with-macro.eml")).unwrap();
    let answer = ask("CONTSCAN", &shown.to_string());
    assert_eq!(answer.lines().count(), 1, "{answer}");
}

#[test]
fn what_is_remembered_of_attachments_is_forgotten_with_the_rules_it_was_seen_by() {
    for remembered in ["64MiB", "0"] {
        let server = Server::start(&format!(
            "[rules]\npaths = [\"own.yar\"]\n[scan]\nmax_remembered = \"{remembered}\"\n"
        ));
        let inner = build::zip(&[("note.txt", b"a word that nobody minds")]);
        let outer = build::zip(&[("inner.zip", &inner)]);
        for _ in 0..3 {
            assert_eq!(server.stream(&outer), "stream: OK\0");
        }
        server.place.write(
            "own.yar",
            "rule word { strings: $a = \"a word that nobody minds\" condition: $a and filename == \"note.txt\" }\n",
        );
        server.gateway.signal("HUP");
        until("the reload", || {
            let page = server.gateway.get("/metrics").unwrap();
            page.contains("sekisho_reloads_total 1\n")
        });
        for _ in 0..3 {
            let found = server.stream(&outer);
            assert!(found.ends_with("word FOUND\0"), "{remembered}: {found}");
        }
        // The same bytes under another name are another thing.
        let renamed = build::zip(&[("other.txt", b"a word that nobody minds")]);
        let outer = build::zip(&[("inner.zip", &renamed)]);
        assert_eq!(server.stream(&outer), "stream: OK\0");
    }
}
