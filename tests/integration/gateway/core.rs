//! The server itself: sockets of every kind, a store that fails, connections that misbehave, reloads under load.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::host::{Gateway, Place, free_port, until};

/// What Postfix says first, and what we say to it.
const NEGOTIATION: &[u8] = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";

fn ping(mut stream: impl Read + Write) -> String {
    stream.write_all(b"zPING\0").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn tcp(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

#[test]
fn unix_sockets_take_the_place_of_stale_ones_and_never_of_a_file() {
    let place = Place::new();
    let socket = place.0.join("clamd.sock");
    // Left behind by a process that died.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let more = format!("[clamd]\nlisten = \"unix:{}\"\n", socket.display());
    let gateway = Gateway::start(&place, &more);
    assert_eq!(ping(UnixStream::connect(&socket).unwrap()), "PONG\0");
    // The folder decides who gets there.
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let refused = |path: &Path| {
        let text = format!(
            "[clamd]\nlisten = \"unix:{}\"\n[quarantine]\npath = \"{}\"\n",
            path.display(),
            place.0.join("other").display()
        );
        let config = place.write("other.toml", &text);
        let output = Command::new(env!("CARGO_BIN_EXE_sekisho"))
            .arg("-c")
            .arg(config)
            .arg("serve")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Somebody answers there.
    assert!(refused(&socket).contains("clamd: cannot listen on unix:"));
    let file = place.write("file", "text");
    assert!(refused(&file).contains("a file that is no socket is there"));
    let said = refused(&place.0.join("none/clamd.sock"));
    assert!(said.contains("hint: make the folder"), "{said}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "text");
    drop(gateway);
}

#[test]
fn systemd_hands_over_sockets_by_name_and_in_order() {
    let place = Place::new();
    let path = place.0.join("handed.sock");
    for names in ["http:clamd", "http:sekisho.socket"] {
        let _ = std::fs::remove_file(&path);
        let clamd = UnixListener::bind(&path).unwrap();
        let http = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = http.local_addr().unwrap().port();
        // What the configuration says is not listened on then.
        let (idle, other) = (free_port(), free_port());
        let text = format!(
            "[clamd]\nlisten = \"127.0.0.1:{idle}\"\n[http]\nlisten = \"127.0.0.1:{other}\"\n[quarantine]\npath = \"{}\"\n",
            place.0.join("store").display()
        );
        let config = place.write("sekisho.toml", &text);
        let mut child = Command::new("/bin/sh")
            .args(["-c", "exec 3<&0 4>&1; exec \"$0\" -c \"$1\" serve <&- >&-"])
            .arg(env!("CARGO_BIN_EXE_sekisho"))
            .arg(config)
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", names)
            .stdin(Stdio::from(OwnedFd::from(http)))
            .stdout(Stdio::from(OwnedFd::from(clamd)))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(ping(UnixStream::connect(&path).unwrap()), "PONG\0");
        let mut stream = tcp(port);
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("200 OK"), "{answer}");
        for port in [idle, other] {
            assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn connections_over_the_cap_are_closed_at_once_and_there_is_room_again() {
    let place = Place::new();
    let gateway = Gateway::start(&place, "[scan]\nmax_connections = 2\n");
    let negotiated = || {
        let mut stream = tcp(gateway.milter);
        stream.write_all(NEGOTIATION).unwrap();
        let mut answer = [0; 17];
        stream.read_exact(&mut answer).map(|()| stream)
    };
    let held = [negotiated().unwrap(), negotiated().unwrap()];
    assert!(negotiated().is_err());
    let refused = "sekisho_connections_refused_total{listener=\"milter\"} 1\n";
    assert!(gateway.get("/metrics").unwrap().contains(refused));
    drop(held);
    until("there is room again", || negotiated().is_ok());
}

#[test]
fn half_closed_and_slow_connections_are_served_beside_others() {
    let place = Place::new();
    let port = free_port();
    let more = format!("[clamd]\nlisten = \"127.0.0.1:{port}\"\n");
    let gateway = Gateway::start(&place, &more);
    // Some that send a byte and wait, some that never read.
    let mut slow: Vec<TcpStream> = (0..50).map(|_| tcp(port)).collect();
    for stream in &mut slow {
        stream.write_all(b"z").unwrap();
    }
    let mut half = tcp(port);
    half.write_all(b"zINSTREAM\0\0\0\0\x04text\0\0\0\0")
        .unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "stream: OK\0");
    for stream in &mut slow {
        stream.write_all(b"PING\0").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "PONG\0");
    }
    // An MTA that shuts down its side within a message is no message.
    let mut mta = tcp(gateway.milter);
    mta.write_all(NEGOTIATION).unwrap();
    mta.write_all(b"\0\0\0\x05Bbody").unwrap();
    mta.shutdown(Shutdown::Write).unwrap();
    let _ = mta.read_to_end(&mut Vec::new());
    assert!(gateway.get("/readyz").unwrap().contains("200 OK"));
}

#[test]
fn reloads_under_load_leave_no_gap() {
    let place = Place::new();
    let port = free_port();
    let more = format!("[clamd]\nlisten = \"127.0.0.1:{port}\"\n");
    let gateway = Gateway::start(&place, &more);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..150 {
                        let mut stream = tcp(port);
                        stream
                            .write_all(b"zINSTREAM\0\0\0\0\x04text\0\0\0\0")
                            .unwrap();
                        let mut answer = String::new();
                        stream.read_to_string(&mut answer).unwrap();
                        assert_eq!(answer, "stream: OK\0");
                    }
                })
            })
            .collect();
        for round in 1..=3 {
            gateway.signal("HUP");
            let done = format!("sekisho_reloads_total {round}\n");
            until("the reload", || {
                gateway
                    .get("/metrics")
                    .is_some_and(|page| page.contains(&done))
            });
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}
