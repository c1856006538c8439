//! A Postfix in a folder of its own on loopback ports, the gateway beside it, a client before and a next hop behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A port that nobody has at the moment, given to one test only. It lies below those that systems give to connections,
/// so that no connection of another test has it before its server does.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let number = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} on");
}

/// A folder that other users can look into, gone when the test ends.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sekisho-gateway-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `sekisho serve`, killed when dropped.
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) milter: u16,
    pub(crate) http: u16,
    config: PathBuf,
}

impl Gateway {
    /// Starts one on a configuration of its own with `more` behind the listeners, and waits until it is ready.
    pub(crate) fn start(place: &Place, more: &str) -> Self {
        let (milter, http) = (free_port(), free_port());
        let text = format!(
            "[milter]\nlisten = \"127.0.0.1:{milter}\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
             [quarantine]\npath = \"{}\"\n{more}",
            place.0.join("store").display()
        );
        let config = place.write("sekisho.toml", &text);
        let child = Self::spawn(&config);
        let gateway = Self {
            child,
            milter,
            http,
            config,
        };
        gateway.wait();
        gateway
    }

    fn spawn(config: &Path) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(config.with_extension("log"))
            .unwrap();
        Command::new(env!("CARGO_BIN_EXE_sekisho"))
            .arg("-c")
            .arg(config)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn wait(&self) {
        until("the gateway is ready", || {
            self.get("/readyz")
                .is_some_and(|answer| answer.contains("200 OK"))
        });
    }

    /// Ends it by SIGKILL and starts another on the same configuration; does not wait for it.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = Self::spawn(&self.config);
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.config.with_extension("log")).unwrap()
    }

    /// What a GET gives; none where nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Runs another command on its configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_sekisho"))
            .arg("-c")
            .arg(&self.config)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The messages in the store.
    pub(crate) fn quarantine(&self) -> Vec<serde_json::Value> {
        let output = self.run(&[
            "quarantine",
            "list",
            "--format",
            "json",
            "--limit",
            "100000",
        ]);
        if output.stdout.is_empty() {
            return Vec::new();
        }
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        listed.as_array().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.len().saturating_sub(30);
            eprintln!("the gateway's log:\n{}", lines[tail..].join("\n"));
        }
    }
}

/// Waits until something holds, half a minute at the most.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "not in time: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A message at the next hop.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) data: Vec<u8>,
}

/// The next hop: takes everything.
pub(crate) struct NextHop {
    pub(crate) port: u16,
    pub(crate) delivered: Arc<Mutex<Vec<Delivered>>>,
}

impl NextHop {
    pub(crate) fn start() -> Self {
        Self::start_on(0)
    }

    /// On a port of the test's choice.
    pub(crate) fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let delivered: Arc<Mutex<Vec<Delivered>>> = Arc::default();
        let all = Arc::clone(&delivered);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                std::thread::spawn(move || drop(take(stream, &all)));
            }
        });
        Self { port, delivered }
    }

    pub(crate) fn all(&self) -> Vec<Delivered> {
        self.delivered.lock().unwrap().clone()
    }
}

fn take(stream: TcpStream, all: &Mutex<Vec<Delivered>>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    out.write_all(b"220 next.test\r\n")?;
    let (mut from, mut to) = (String::new(), Vec::new());
    let address = |text: &str| text.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let verb = text.get(..4).unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => out.write_all(b"250-next.test\r\n250 8BITMIME\r\n")?,
            "MAIL" => {
                from = address(&text);
                out.write_all(b"250 ok\r\n")?;
            }
            "RCPT" => {
                to.push(address(&text));
                out.write_all(b"250 ok\r\n")?;
            }
            "DATA" => {
                out.write_all(b"354 go\r\n")?;
                let data = until_dot(&mut lines)?;
                let to = std::mem::take(&mut to);
                all.lock().unwrap().push(Delivered {
                    from: from.clone(),
                    to,
                    data,
                });
                out.write_all(b"250 taken\r\n")?;
            }
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            _ => out.write_all(b"250 ok\r\n")?,
        }
    }
}

fn until_dot(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 || line == b".\r\n" {
            return Ok(data);
        }
        data.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// Sends a mail; gives the answer to its end, or the first refusal.
pub(crate) fn send(port: u16, to: &[&str], mail: &[u8]) -> std::io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    let answer = |lines: &mut BufReader<TcpStream>| -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    };
    let mut commands = vec![
        "EHLO client.test".to_owned(),
        "MAIL FROM:<taro@branch.test>".to_owned(),
    ];
    commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
    commands.push("DATA".to_owned());
    let greeting = answer(&mut lines)?;
    if !greeting.starts_with('2') {
        return Ok(greeting);
    }
    for command in commands {
        write!(out, "{command}\r\n")?;
        let said = answer(&mut lines)?;
        if !said.starts_with(['2', '3']) {
            return Ok(said);
        }
    }
    let mut data = Vec::new();
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend(line);
    }
    data.extend(b".\r\n");
    out.write_all(&data)?;
    let said = answer(&mut lines)?;
    let _ = out.write_all(b"QUIT\r\n");
    Ok(said)
}

/// Lines of `deploy/postfix/` with ports of the test's own.
fn sample(name: &str, relay: u16, back: u16) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/postfix");
    let lines = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines = lines.replace("127.0.0.1:10025", &format!("127.0.0.1:{relay}"));
    lines.replace("127.0.0.1:10026", &format!("127.0.0.1:{back}"))
}

/// A Postfix with its own queue, stopped when dropped.
pub(crate) struct Postfix {
    place: Place,
    pub(crate) port: u16,
}

impl Postfix {
    /// Starts one in front of a milter; none where it is not installed or we are not root.
    pub(crate) fn start(milter: u16, next_hop: u16) -> Option<Self> {
        let main = format!(
            "smtpd_milters = inet:127.0.0.1:{milter}\nmilter_default_action = tempfail\nmilter_connect_timeout = 5s\n"
        );
        Self::with(next_hop, &main, |port| {
            format!("127.0.0.1:{port} inet n - n - - smtpd\n")
        })
    }

    /// Starts one with the relay before its queue, by the sample; likewise. `back` is where the relay sends mails on to.
    pub(crate) fn before_queue(relay: u16, back: u16, next_hop: u16) -> Option<Self> {
        Self::with(next_hop, "", |port| {
            let lines = sample("before-queue.cf", relay, back);
            lines.replace("\nsmtp inet ", &format!("\n127.0.0.1:{port} inet "))
        })
    }

    /// Starts one with the relay after its queue, by the sample; likewise.
    pub(crate) fn after_queue(relay: u16, back: u16, next_hop: u16) -> Option<Self> {
        let main = format!("content_filter = sekisho:[127.0.0.1]:{relay}\n");
        Self::with(next_hop, &main, |port| {
            let lines = sample("after-queue.cf", relay, back);
            format!("127.0.0.1:{port} inet n - n - - smtpd\n{lines}")
        })
    }

    fn with(next_hop: u16, main: &str, services: impl Fn(u16) -> String) -> Option<Self> {
        let root = Command::new("id").arg("-u").output().ok()?.stdout == b"0\n";
        let installed = Path::new("/usr/sbin/postfix").exists();
        if !root || !installed {
            eprintln!("passed over: needs Postfix and root (deploy/test installs it)");
            return None;
        }
        let place = Place::new();
        let port = free_port();
        let dir = place.0.display();
        place.write(
            "main.cf",
            &format!(
                "compatibility_level = 3.6\nqueue_directory = {dir}/queue\ndata_directory = {dir}/data\n\
                 command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
                 setgid_group = postdrop\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.test\n\
                 mydestination =\nlocal_recipient_maps =\nmynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
                 relayhost = [127.0.0.1]:{next_hop}\ndisable_dns_lookups = yes\nsmtp_dns_support_level = disabled\n\
                 maillog_file = {dir}/maillog\nmaillog_file_prefixes = /tmp, {dir}\nin_flow_delay = 0\n\
                 smtp_tls_security_level = none\nsmtpd_tls_security_level = none\nbiff = no\nalias_maps =\nalias_database =\n\
                 smtpd_peername_lookup = no\nminimal_backoff_time = 1s\nqueue_run_delay = 2s\nnotify_classes =\n{main}"
            ),
        );
        let common: String = [
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify",
            "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap",
            "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp",
            "showq unix n - n - - showq",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "discard unix - - n - - discard",
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd",
        ]
        .map(|line| format!("{line}\n"))
        .concat();
        place.write("master.cf", &(services(port) + &common));
        for folder in ["queue", "data"] {
            std::fs::create_dir(place.0.join(folder)).unwrap();
        }
        let data = place.0.join("data");
        let owned = Command::new("chown").arg("postfix").arg(data).status();
        assert!(owned.unwrap().success());
        let postfix = Self { place, port };
        let started = postfix.command("start");
        assert!(started.status.success(), "{started:?}\n{}", postfix.log());
        until("Postfix answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(postfix)
    }

    pub(crate) fn command(&self, what: &str) -> std::process::Output {
        Command::new("/usr/sbin/postfix")
            .arg("-c")
            .arg(&self.place.0)
            .arg(what)
            .output()
            .unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.0.join("maillog")).unwrap_or_default()
    }

    /// Messages in its queue.
    pub(crate) fn queued(&self) -> usize {
        let output = Command::new("/usr/sbin/postqueue")
            .arg("-c")
            .arg(&self.place.0)
            .arg("-j")
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).lines().count()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.len().saturating_sub(30);
            eprintln!("the log of Postfix:\n{}", lines[tail..].join("\n"));
        }
        self.command("stop");
    }
}
