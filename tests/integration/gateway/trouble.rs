//! Trouble of ours, through every front: a full disk, a store that is gone. The sender's server keeps the message, the
//! log says why, and what was sent back is taken once the trouble is over, without a restart.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::host::{Gateway, Place, free_port, send, until};
use super::milter::{clean, id_of_entry, malicious};
use crate::support::Disk;

/// Takes its time with all but short messages: harmless mails are shorter.
const SLOW: &str = "rule slow { condition: filesize > 4000 and filename != \"x\" and\n for all i in (0..20000000000) : (uint8(i % filesize) >= 0) }\n";

/// A gateway with all fronts, before a next hop that takes everything.
struct Fronts {
    gateway: Gateway,
    relay: u16,
    clamd: u16,
    hop: super::hop::Hop,
}

impl Fronts {
    fn start(place: &Place) -> Self {
        Self::start_with(place, "")
    }

    fn start_with(place: &Place, more: &str) -> Self {
        let (relay, clamd) = (free_port(), free_port());
        let hop = super::hop::Hop::start();
        let more = format!(
            "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{}\"\n[clamd]\nlisten = \"127.0.0.1:{clamd}\"\n{more}",
            hop.port
        );
        Self {
            gateway: Gateway::start(place, &more),
            relay,
            clamd,
            hop,
        }
    }

    /// What is said to a message that must be stored: by the relay, and by the milter.
    fn stored(&self, id: &str) -> [String; 2] {
        let mail = malicious(id);
        [
            send(self.relay, &["a@hq.test"], &mail).unwrap(),
            milter(self.gateway.milter, "b@hq.test", &mail),
        ]
    }

    /// Messages that are not stored go on, and who asks about a file gets an answer.
    fn works_without_a_store(&self) {
        let before = self.hop.all().len();
        let said = send(self.relay, &["a@hq.test"], &clean("clean")).unwrap();
        assert!(said.starts_with("250 "), "{said}");
        assert_eq!(self.hop.all().len(), before + 1);
        assert_eq!(
            milter(self.gateway.milter, "b@hq.test", &clean("clean")),
            "c"
        );
        let found = clamd(self.clamd, &malicious("asked"));
        assert!(found.ends_with(" FOUND"), "{found}");
    }

    fn ready(&self) -> String {
        self.gateway.get("/readyz").unwrap()
    }
}

/// A message as Postfix hands it over; gives the command of the last answer, with its text where it has one.
fn milter(port: u16, to: &str, mail: &[u8]) -> String {
    let mut stream = tcp(port);
    let mut out = Vec::new();
    let mut put = |command: u8, data: &[u8]| {
        out.extend(u32::try_from(data.len() + 1).unwrap().to_be_bytes());
        out.push(command);
        out.extend(data);
    };
    put(b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xf7\xff");
    put(b'C', b"client.test\x004\0\x19127.0.0.1\0");
    put(b'H', b"client.test\0");
    put(b'M', b"<taro@branch.test>\0");
    put(b'R', format!("<{to}>\0").as_bytes());
    put(b'T', b"");
    let text = String::from_utf8_lossy(mail).into_owned();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let header = header.replace("\r\n ", "\n ").replace("\r\n\t", "\n\t");
    for line in header.split("\r\n") {
        put(
            b'L',
            format!("{}\0", line.replacen(':', "\0", 1)).as_bytes(),
        );
    }
    put(b'N', b"");
    put(b'B', body.as_bytes());
    put(b'E', b"");
    stream.write_all(&out).unwrap();
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).unwrap();
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        stream.read_exact(&mut frame).unwrap();
        let said = String::from_utf8_lossy(&frame).into_owned();
        if said.starts_with(['c', 'a', 'd', 'r', 't', 'y']) {
            return said.trim_end_matches('\0').to_owned();
        }
    }
}

fn clamd(port: u16, file: &[u8]) -> String {
    let mut stream = tcp(port);
    stream.write_all(b"nINSTREAM\n").unwrap();
    let length = u32::try_from(file.len()).unwrap().to_be_bytes();
    stream
        .write_all(&[&length, file, &[0; 4]].concat())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.trim_end().to_owned()
}

fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream
}

/// Takes all room that is left.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_tempfail_on_every_front_until_there_is_room() {
    let place = Place::new();
    let folder = place.0.join("store");
    let Some(_disk) = Disk::mount(&folder, "4m") else {
        eprintln!("passed over: this user may not mount a file system");
        return;
    };
    let fronts = Fronts::start(&place);
    fill(&folder.join("filler"));
    let [relay, milter] = fronts.stored("full");
    assert!(relay.starts_with("451 4.7.1 "), "{relay}");
    assert!(milter.starts_with("y451 4.7.1 "), "{milter}");
    let ready = fronts.ready();
    assert!(
        ready.starts_with("HTTP/1.1 503 ") && ready.contains("the quarantine is full"),
        "{ready}"
    );
    fronts.works_without_a_store();
    let log = fronts.gateway.log();
    assert!(
        log.contains("the quarantine is full") && log.contains("give the disk room"),
        "{log}"
    );
    assert!(fronts.gateway.quarantine().is_empty());

    std::fs::remove_file(folder.join("filler")).unwrap();
    assert!(fronts.ready().starts_with("HTTP/1.1 200 "));
    let [relay, milter] = fronts.stored("full");
    assert!(relay.starts_with("250 "), "{relay}");
    assert_eq!(milter, "d");
    let stored = fronts.gateway.quarantine();
    let ids: Vec<String> = stored.iter().map(id_of_entry).collect();
    assert_eq!(ids, ["full", "full"]);
}

#[test]
fn a_store_that_is_gone_is_tempfail_on_every_front_until_it_is_back() {
    let place = Place::new();
    let fronts = Fronts::start(&place);
    let (store, away) = (place.0.join("store"), place.0.join("away"));
    std::fs::rename(&store, &away).unwrap();
    let [relay, milter] = fronts.stored("gone");
    assert!(relay.starts_with("451 4.7.1 "), "{relay}");
    assert!(milter.starts_with("y451 4.7.1 "), "{milter}");
    assert!(fronts.ready().starts_with("HTTP/1.1 503 "));
    fronts.works_without_a_store();
    assert!(
        fronts
            .gateway
            .log()
            .contains("the quarantine cannot be reached")
    );

    std::fs::rename(&away, &store).unwrap();
    assert!(fronts.ready().starts_with("HTTP/1.1 200 "));
    let [relay, milter] = fronts.stored("gone");
    assert!(
        relay.starts_with("250 ") && milter == "d",
        "{relay} {milter}"
    );
    assert_eq!(fronts.gateway.quarantine().len(), 2);
}

#[test]
fn clients_that_stop_half_way_hold_up_nobody_and_leave_nothing_behind() {
    let place = Place::new();
    let fronts = Fronts::start(&place);
    let begun: [(u16, &[u8]); 3] = [
        (
            fronts.relay,
            b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n",
        ),
        (
            fronts.gateway.milter,
            b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xf7\xff\0\0\0\x04M<>\0\0\0\xff\xffBbody",
        ),
        (fronts.clamd, b"zINSTREAM\0\0\0\x10\0text"),
    ];
    let mut slow = Vec::new();
    for (port, bytes) in begun {
        for _ in 0..20 {
            let mut stream = tcp(port);
            stream.write_all(bytes).unwrap();
            slow.push(stream);
        }
    }
    fronts.works_without_a_store();
    let [relay, milter] = fronts.stored("beside");
    assert!(
        relay.starts_with("250 ") && milter == "d",
        "{relay} {milter}"
    );
    // One half shuts its side down, the other is gone.
    for stream in slow.iter().step_by(2) {
        stream.shutdown(Shutdown::Write).unwrap();
    }
    let mut half: Vec<TcpStream> = slow.into_iter().step_by(2).collect();
    for stream in &mut half {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    until("nothing is left behind", || {
        let metrics = fronts.gateway.get("/metrics").unwrap();
        let idle = |listener: &str| {
            metrics.contains(&format!(
                "sekisho_connections{{listener=\"{listener}\"}} 0\n"
            ))
        };
        metrics.contains("sekisho_memory_admitted_bytes 0\n")
            && ["relay", "milter", "clamd"].into_iter().all(idle)
    });
    assert_eq!(fronts.hop.all().len(), 1);
}

#[test]
fn a_message_that_is_never_scanned_in_time_is_kept_from_the_third_time_on_at_every_front() {
    let place = Place::new();
    place.write("slow.yar", SLOW);
    let fronts = Fronts::start_with(
        &place,
        "[scan]\ntimeout = 1\nthreads = 4\n[rules]\npaths = [\"slow.yar\"]\n",
    );
    let long = |id: &str| [clean(id), b"a line of text\r\n".repeat(400)].concat();
    let relay = || send(fronts.relay, &["a@hq.test"], &long("relay")).unwrap();
    let milter = || milter(fronts.gateway.milter, "b@hq.test", &long("milter"));
    let clamd = || clamd(fronts.clamd, &long("clamd"));
    let ways: [&(dyn Fn() -> String + Sync); 3] = [&relay, &milter, &clamd];
    let said: Vec<Vec<String>> = std::thread::scope(|scope| {
        let tried = ways.map(|way| scope.spawn(|| (0..3).map(|_| way()).collect()));
        tried.map(|thread| thread.join().unwrap()).into()
    });
    for (answers, again) in said.iter().zip(["451 4.7.1 ", "y451 4.7.1 ", "stream: "]) {
        assert!(
            answers[..2].iter().all(|said| said.starts_with(again)),
            "{said:?}"
        );
    }
    let [relay, milter, clamd] = [&said[0], &said[1], &said[2]];
    assert!(relay[2].starts_with("250 "), "{relay:?}");
    assert_eq!(milter[2], "d");
    assert!(clamd[1].ends_with(" ERROR"), "{clamd:?}");
    assert_eq!(
        clamd[2],
        "stream: Heuristics.Limits.Exceeded.MaxScanTime FOUND"
    );
    // Both are there, and others are served as ever.
    assert_eq!(fronts.gateway.quarantine().len(), 2);
    let said = send(fronts.relay, &["a@hq.test"], &clean("short")).unwrap();
    assert!(said.starts_with("250 "), "{said}");
}

/// Stops threads of another process until it is dropped.
struct Stopped(Child);

impl Stopped {
    /// As a debugger does; none where it may not be done.
    fn threads(ids: &[String]) -> Option<Self> {
        // PTRACE_SEIZE and PTRACE_INTERRUPT stop a thread and leave the others alone; the kernel lets go of it with us.
        const SCRIPT: &str = "import ctypes, sys\nlibc = ctypes.CDLL(None)\n\
            libc.ptrace.argtypes = [ctypes.c_long] * 4\n\
            for tid in map(int, sys.argv[1:]):\n for request in (0x4206, 0x4207):\n  \
            if libc.ptrace(request, tid, 0, 0): sys.exit(1)\n\
            print('stopped', flush=True)\nsys.stdin.read()\n";
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .args(ids)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut said = [0; 7];
        let out = child.stdout.as_mut()?;
        let stopped = out.read_exact(&mut said).is_ok() && &said == b"stopped";
        let stopped = stopped.then_some(Self(child));
        if stopped.is_none() {
            eprintln!("passed over: needs python3 and the right to trace a process");
        }
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The scan threads of a process.
fn scan_threads(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let ids = tasks.flatten().filter(|task| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.trim() == "scan")
    });
    ids.map(|task| task.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn a_scan_that_asks_no_clock_is_left_behind_and_its_message_is_kept_the_third_time() {
    let place = Place::new();
    place.write("slow.yar", SLOW);
    let fronts = Fronts::start_with(
        &place,
        "[scan]\ntimeout = 2\nthreads = 1\n[rules]\npaths = [\"slow.yar\"]\n",
    );
    let process = fronts.gateway.child.id();
    let long = [clean("hung"), b"a line of text\r\n".repeat(400)].concat();
    let again = || send(fronts.relay, &["a@hq.test"], &long).unwrap();
    let (said, took, stopped) = std::thread::scope(|scope| {
        let started = Instant::now();
        let answer = scope.spawn(again);
        // It is at work on the message for two seconds.
        std::thread::sleep(Duration::from_millis(700));
        let stopped = Stopped::threads(&scan_threads(process));
        (answer.join().unwrap(), started.elapsed(), stopped)
    });
    let Some(stopped) = stopped else {
        return;
    };
    assert!(said.starts_with("451 4.7.1 "), "{said}");
    // Its two seconds, and five of grace.
    assert!(took < Duration::from_secs(20), "{took:?}");
    let page = fronts.gateway.get("/metrics").unwrap();
    assert!(page.contains("sekisho_threads_lost_total 1\n"), "{page}");

    // Another thread has its place: others are served, and the third try of the message is stored.
    let short = send(fronts.relay, &["a@hq.test"], &clean("short")).unwrap();
    assert!(short.starts_with("250 "), "{short}");
    let said = again();
    assert!(said.starts_with("451 4.7.1 "), "{said}");
    let said = again();
    assert!(said.starts_with("250 "), "{said}");
    let stored = fronts.gateway.quarantine();
    let ids: Vec<String> = stored.iter().map(id_of_entry).collect();
    assert_eq!(ids, ["hung"]);
    // Once more: taken, and in the store once.
    assert!(again().starts_with("250 "));
    assert_eq!(fronts.gateway.quarantine().len(), 1);

    // Let go of, it ends by itself, and nothing is held any more.
    assert_eq!(scan_threads(process).len(), 2);
    drop(stopped);
    until("the thread left behind ends", || {
        scan_threads(process).len() == 1
    });
    let page = fronts.gateway.get("/metrics").unwrap();
    assert!(page.contains("sekisho_memory_admitted_bytes 0\n"), "{page}");
    assert!(fronts.ready().starts_with("HTTP/1.1 200 "));
}
