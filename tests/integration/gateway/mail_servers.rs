//! Exim and Sendmail with the samples of `deploy/`. Their packages and that of Postfix exclude each other, so that they are
//! unpacked and not installed: `SEKISHO_TEST_SERVERS` names the folder (`deploy/test` makes it). Each runs in a name
//! space of its own, in which its user and its host name exist.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::host::{Delivered, Gateway, NextHop, Place, free_port, send, until};
use super::milter::{ROUTES, as_sent, clean, header, id_of_entry, locked, malicious, named};
use crate::build;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// Where the packages are unpacked; none: the test is passed over.
fn unpacked() -> Option<PathBuf> {
    let root = std::env::var_os("SEKISHO_TEST_SERVERS").map(PathBuf::from);
    if root.is_none() {
        eprintln!("passed over: needs Exim and Sendmail unpacked, and root (deploy/test does it)");
    }
    root
}

/// A running mail server, killed when dropped.
struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// Starts `program` (a file of the packages) on a copy, with files of its own in the place of those of the system.
    fn start(root: &Path, place: &Place, program: &str, port: u16, arguments: &[&str]) -> Self {
        let copy = place.0.join("server");
        std::fs::copy(root.join(program), &copy).unwrap();
        // A program with another user's rights does not take libraries from elsewhere.
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
        let beside = |file: &str, line: &str| {
            let text = std::fs::read_to_string(Path::new("/etc").join(file)).unwrap();
            place.write(file, &format!("{text}\n{line}\n"))
        };
        beside(
            "passwd",
            "Debian-exim:x:65534:65534::/nonexistent:/usr/sbin/nologin",
        );
        beside("group", "Debian-exim:x:65534:");
        beside("hosts", "127.0.0.1 mx.hq.test mx");
        let dir = place.0.display();
        let script = format!(
            "for file in passwd group hosts; do mount --bind {dir}/$file /etc/$file; done\n\
             hostname mx.hq.test\nexec {dir}/server \"$@\"\n"
        );
        let script = place.write("start", &script);
        let libraries = [
            "usr/lib",
            "usr/lib/x86_64-linux-gnu",
            "lib/x86_64-linux-gnu",
        ];
        let libraries = libraries.map(|folder| root.join(folder).display().to_string());
        let log = place.0.join("server.log");
        let out = std::fs::File::create(&log).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "--uts", "sh"])
            .arg(script)
            .args(arguments)
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        let server = Self { child, port, log };
        until("the mail server answers", || {
            send(port, &[], b"").is_ok()
                || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }

    fn say(&self, to: &[&str], mail: &[u8]) -> String {
        send(self.port, to, mail).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            eprintln!("the log of the mail server:\n{log}");
        }
    }
}

/// The last mail at the next hop, once there are so many.
fn arrives(hop: &NextHop, count: usize) -> Delivered {
    until("mails arrive", || hop.all().len() >= count);
    assert_eq!(hop.all().len(), count);
    hop.all().pop().unwrap()
}

#[test]
fn exim_asks_us_as_it_asks_clamd() {
    let Some(root) = unpacked() else {
        return;
    };
    for by in ["tcp", "unix"] {
        let place = Place::new();
        let hop = NextHop::start();
        let (port, clamd) = (free_port(), free_port());
        let dir = place.0.display();
        let socket = place.0.join("clamd.sock");
        let sample = std::fs::read_to_string(format!("{DEPLOY}/exim/sekisho.conf")).unwrap();
        let (scanner, (listen, roots)) = match by {
            "tcp" => (
                format!("clamd:127.0.0.1 {clamd}"),
                (format!("127.0.0.1:{clamd}"), String::new()),
            ),
            _ => (
                format!("clamd:{}", socket.display()),
                (
                    format!("unix:{}", socket.display()),
                    format!("roots = [\"{dir}/spool/scan\"]\n"),
                ),
            ),
        };
        let sample = sample.replace("clamd:127.0.0.1 3310", &scanner);
        let (main, condition) = sample.split_once("\n\n").unwrap();
        let config = place.write(
            "exim.conf",
            &format!(
                "exim_user = nobody\nexim_group = nogroup\nexim_path = {dir}/server\nprimary_hostname = mx.hq.test\n\
                 spool_directory = {dir}/spool\nlog_file_path = {dir}/spool/log.%slog\ndaemon_smtp_ports = {port}\n\
                 local_interfaces = 127.0.0.1\nkeep_environment = LD_LIBRARY_PATH\ndeliver_drop_privilege = true\n\
                 tls_advertise_hosts =\nacl_smtp_rcpt = to\nacl_smtp_data = data\nnever_users =\n{main}\n\
                 begin acl\nto:\n  accept\ndata:\n{condition}  accept\n\
                 begin routers\nnext:\n  driver = manualroute\n  transport = next\n  route_list = * 127.0.0.1 byname\n  self = send\n\
                 begin transports\nnext:\n  driver = smtp\n  port = {}\n  hosts_try_fastopen =\n\
                 begin retry\n* * F,1h,1s\n",
                hop.port
            ),
        );
        std::fs::create_dir(place.0.join("spool")).unwrap();
        let owned = Command::new("chown")
            .args(["nobody:nogroup"])
            .arg(place.0.join("spool"))
            .status();
        assert!(owned.unwrap().success());
        let gateway = place.0.join("gateway");
        std::fs::create_dir(&gateway).unwrap();
        let inner = Place(gateway);
        let mut gateway =
            Gateway::start(&inner, &format!("[clamd]\nlisten = \"{listen}\"\n{roots}"));
        let config = config.to_str().unwrap();
        let exim = Server::start(
            &root,
            &place,
            "usr/sbin/exim4",
            port,
            &["-C", config, "-bdf", "-q1h"],
        );
        let said = exim.say(&["a@hq.test"], &clean("clean"));
        assert!(said.starts_with("250 "), "{by}: {said}");
        let mail = arrives(&hop, 1);
        assert_eq!(as_sent(&mail), without_ours(&clean("clean")), "{by}");
        let said = exim.say(&["a@hq.test"], &malicious("macro"));
        let named = "550 refused by sekisho: Sekisho.autostart-with-call";
        assert_eq!(said, named, "{by}");
        let said = exim.say(&["a@hq.test"], &locked("locked"));
        let named = "550 refused by sekisho: Heuristics.Encrypted.Zip";
        assert_eq!(said, named, "{by}");

        // Nobody there: the sender tries again, and nothing is let through.
        gateway.child.kill().unwrap();
        gateway.child.wait().unwrap();
        let said = exim.say(&["a@hq.test"], &clean("later"));
        assert!(said.starts_with("451 "), "{by}: {said}");
        gateway.kill_and_restart();
        until("the gateway is back", || {
            exim.say(&["a@hq.test"], &clean("later"))
                .starts_with("250 ")
        });
        arrives(&hop, 2);
    }
}

/// A mail as the test compares it: `as_sent` leaves our headers out.
fn without_ours(mail: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(mail);
    text.replace("X-Sekisho-Verdict: clean; forged\r\n", "")
        .into_bytes()
}

/// The configuration of Sendmail that m4 makes of its own files and the sample.
fn sendmail_config(root: &Path, place: &Place, port: u16, milter: u16, next_hop: u16) -> PathBuf {
    let (root_text, dir) = (root.display(), place.0.display());
    let sample = std::fs::read_to_string(format!("{DEPLOY}/sendmail/sekisho.mc")).unwrap();
    let usual = "inet:8891@127.0.0.1";
    assert!(sample.contains(usual));
    let sample = sample.replace(usual, &format!("inet:{milter}@127.0.0.1"));
    let text = format!(
        "include(`{root_text}/usr/share/sendmail/cf/m4/cf.m4')dnl\nOSTYPE(`linux')dnl\nDOMAIN(`generic')dnl\n\
         define(`confDOMAIN_NAME', `mx.hq.test')dnl\ndefine(`QUEUE_DIR', `{dir}/queue')dnl\n\
         define(`STATUS_FILE', `{dir}/statistics')dnl\ndefine(`ALIAS_FILE', `')dnl\ndefine(`HELP_FILE', `')dnl\n\
         define(`confPID_FILE', `{dir}/pid')dnl\ndefine(`confHOST_STATUS_DIRECTORY', `')dnl\n\
         define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,MapInUnsafeDirPath,TrustStickyBit')dnl\n\
         define(`confDONT_PROBE_INTERFACES', `true')dnl\ndefine(`confCW_FILE', `-o /nonexistent')dnl\n\
         define(`confCT_FILE', `-o /nonexistent')dnl\ndefine(`confCR_FILE', `-o /nonexistent')dnl\n\
         define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl\ndefine(`ESMTP_MAILER_ARGS', `TCP $h {next_hop}')dnl\n\
         FEATURE(`no_default_msa')dnl\nFEATURE(`promiscuous_relay')dnl\nFEATURE(`accept_unresolvable_domains')dnl\n\
         DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl\n{sample}MAILER(`smtp')dnl\n"
    );
    let source = place.write("sendmail.mc", &text);
    let made = Command::new(root.join("usr/bin/m4"))
        .arg(format!("-D_CF_DIR_={root_text}/usr/share/sendmail/cf/"))
        .arg(source)
        .output()
        .unwrap();
    let config = String::from_utf8(made.stdout).unwrap();
    assert!(config.contains("\nXsekisho, "), "{config}");
    std::fs::create_dir(place.0.join("queue")).unwrap();
    place.write("sendmail.cf", &config)
}

/// A Sendmail in front of a gateway's milter; both are gone with it, the gateway's folder last.
struct Behind {
    sendmail: Server,
    gateway: Gateway,
    hop: NextHop,
    _inner: Place,
    _place: Place,
}

fn sendmail() -> Option<Behind> {
    let root = unpacked()?;
    let place = Place::new();
    let inner = place.0.join("gateway");
    std::fs::create_dir(&inner).unwrap();
    let inner = Place(inner);
    let gateway = Gateway::start(&inner, ROUTES);
    let hop = NextHop::start();
    let port = free_port();
    let config = sendmail_config(&root, &place, port, gateway.milter, hop.port);
    let config = config.to_str().unwrap();
    let program = "usr/libexec/sendmail/sendmail";
    let sendmail = Server::start(&root, &place, program, port, &["-C", config, "-bD"]);
    Some(Behind {
        sendmail,
        gateway,
        hop,
        _inner: inner,
        _place: place,
    })
}

#[test]
fn what_is_not_changed_arrives_through_sendmail_as_it_was_sent() {
    let Some(Behind { sendmail, hop, .. }) = &sendmail() else {
        return;
    };
    // Clean: every blank as it was, and the forged header is gone.
    let blanks = String::from_utf8(clean("clean")).unwrap();
    let blanks = blanks.replace("Subject: Minutes\r\n of", "Subject:Minutes\r\n\t of");
    let blanks = blanks.replace("\r\nMIME-", "\r\nX-Two:  two\r\nMIME-");
    assert!(
        sendmail
            .say(&["a@hq.test"], blanks.as_bytes())
            .starts_with("250 ")
    );
    let mail = arrives(hop, 1);
    let verdict = header(&mail, "X-Sekisho-Verdict: ").unwrap();
    assert!(verdict.starts_with("clean; score=0; id="), "{verdict}");
    assert!(!String::from_utf8_lossy(&mail.data).contains("forged"));
    let sent = without_ours(blanks.as_bytes());
    assert_eq!(
        String::from_utf8(as_sent(&mail)).unwrap(),
        String::from_utf8(sent).unwrap()
    );

    // Tag, dry run, reject.
    assert!(
        sendmail
            .say(&["tag@hq.test"], &malicious("tag"))
            .starts_with("250 ")
    );
    let mail = arrives(hop, 2);
    let verdict = header(&mail, "X-Sekisho-Verdict: ").unwrap();
    assert!(verdict.starts_with("malicious; score=100; ") && verdict.ends_with("route=tagged"));
    assert_eq!(as_sent(&mail), malicious("tag"));
    assert!(
        sendmail
            .say(&["dry@hq.test"], &malicious("dry"))
            .starts_with("250 ")
    );
    let mail = arrives(hop, 3);
    assert_eq!(header(&mail, "X-Sekisho-Verdict: "), None);
    let said = sendmail.say(&["reject@hq.test"], &malicious("reject"));
    assert!(said.starts_with("550 5.7.1 refused by sekisho"), "{said}");
}

#[test]
fn what_is_changed_or_kept_shows_through_sendmail() {
    let Some(behind) = &mut sendmail() else {
        return;
    };
    let Behind {
        sendmail,
        hop,
        gateway,
        ..
    } = behind;

    // Strip: a part of many, and a mail that is one part, whose own header changes with its body.
    let head = "Content-Type: application/octet-stream; name=a.exe\nContent-Disposition: attachment; filename=a.exe\nContent-Transfer-Encoding: base64";
    let program = build::base64(&build::program());
    let text = String::from_utf8_lossy(&program).into_owned();
    let first = text.lines().next().unwrap();
    let part = build::attachment(head, &build::program());
    let several = named(&build::mail("strip", &[part]), "strip");
    assert!(
        sendmail
            .say(&["strip@hq.test"], &several)
            .starts_with("250 ")
    );
    let mail = String::from_utf8(arrives(hop, 1).data).unwrap();
    assert!(!mail.contains(first) && mail.contains("removed-"), "{mail}");
    let alone = format!(
        "From: taro@branch.test\nTo: strip@hq.test\nSubject: alone\nMessage-ID: <alone@branch.test>\nMIME-Version: 1.0\n\
         {head}\n\n{text}\n"
    );
    let alone = named(alone.as_bytes(), "alone");
    assert!(sendmail.say(&["strip@hq.test"], &alone).starts_with("250 "));
    let mail = String::from_utf8(arrives(hop, 2).data).unwrap();
    let (top, _) = mail.split_once("\r\n\r\n").unwrap();
    assert!(
        top.contains("Content-Type: text/plain; charset=utf-8"),
        "{mail}"
    );
    assert!(
        !top.contains("name=a.exe") && !top.contains("base64"),
        "{mail}"
    );

    // Hold and quarantine; one mail with different fates.
    assert!(
        sendmail
            .say(&["a@hq.test"], &malicious("kept"))
            .starts_with("250 ")
    );
    assert!(
        sendmail
            .say(&["a@hq.test"], &locked("hold"))
            .starts_with("250 ")
    );
    let mixed = ["tag@hq.test", "a@hq.test", "reject@hq.test"];
    assert!(
        sendmail
            .say(&mixed, &malicious("mixed"))
            .starts_with("250 ")
    );
    let mail = arrives(hop, 3);
    assert_eq!(mail.to, ["tag@hq.test"]);
    let listed = gateway.quarantine();
    let state = |id: &str| {
        let found = listed
            .iter()
            .find(|entry| id_of_entry(entry) == id)
            .unwrap();
        found["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (state("kept").as_str(), state("hold").as_str()),
        ("quarantined", "held")
    );
    let queue_id = listed
        .iter()
        .find(|entry| id_of_entry(entry) == "mixed")
        .unwrap()["envelope"]["queue_id"]
        .to_string();
    assert!(queue_id.len() > 10, "{queue_id}");

    // Nobody there: the sender tries again.
    gateway.child.kill().unwrap();
    gateway.child.wait().unwrap();
    let said = sendmail.say(&["a@hq.test"], &clean("later"));
    assert!(said.starts_with("451 "), "{said}");
    gateway.kill_and_restart();
    until("the gateway is back", || {
        sendmail
            .say(&["a@hq.test"], &clean("later"))
            .starts_with("250 ")
    });
    arrives(hop, 4);
}
