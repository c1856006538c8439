//! The store as its users meet it, in folders of their own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::model::{Action, Envelope, Evidence, Finding, Level, Report, Severity};

const DAY: Duration = Duration::from_secs(86_400);

const SETTINGS: StoreSettings = StoreSettings {
    keep: Duration::from_secs(90 * 86_400),
    max_size: 1 << 30,
};

const BECAUSE: Because<'static> = Because {
    who: "test",
    why: "to see",
};

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sekisho-quarantine-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Store {
        Store::open(&self.0, SETTINGS).unwrap()
    }

    /// The files under `messages/`.
    fn messages(&self) -> Vec<PathBuf> {
        let files = files::Files::open(&self.0).unwrap();
        let found = files.messages().unwrap().into_iter();
        found.map(|(_, path)| path).collect()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let listing = std::fs::read_dir(self.0.join(folder)).unwrap();
        let names = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
    Envelope {
        sender: sender.to_owned(),
        recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
        ..Envelope::default()
    }
}

fn report(findings: &[&'static str]) -> Report {
    let finding = |id: &&'static str| Finding {
        id: (*id).into(),
        severity: Severity::High,
        score: 60,
        artifact: 0,
        evidence: Evidence::default(),
        attack: Vec::new(),
        more: None,
    };
    Report {
        path: "mail".to_owned(),
        level: Level::Suspicious,
        score: 60,
        complete: true,
        artifacts: Vec::new(),
        findings: findings.iter().map(finding).collect(),
        raised: Vec::new(),
        iocs: Vec::new(),
        rules: String::new(),
        version: "0",
        elapsed_us: 0,
    }
}

fn put_as(
    store: &Store,
    message: &[u8],
    to: &[&str],
    action: Action,
    age: Duration,
) -> Result<Stored, StoreError> {
    store.put(&Deposit {
        message,
        envelope: &envelope("a@x.example", to),
        report: &report(&["script", "vba-macro", "script"]),
        route: "default",
        action,
        received: SystemTime::now() - age,
    })
}

fn put(store: &Store, message: &[u8]) -> Ticket {
    put_as(
        store,
        message,
        &["b@x.example"],
        Action::Hold,
        Duration::ZERO,
    )
    .unwrap()
    .ticket()
}

fn kinds(verified: &Verified) -> Vec<String> {
    let kind = |mismatch: &Mismatch| {
        let value = serde_json::to_value(mismatch).unwrap();
        value["what"].as_str().unwrap().to_owned()
    };
    verified.mismatches.iter().map(kind).collect()
}

#[test]
fn a_message_comes_back_as_it_went_in_also_from_another_process() {
    let folder = Folder::new();
    let message = b"Subject: a\r\n\r\n\xff\0body".repeat(1000);
    let ticket = put(&folder.open(), &message);
    let store = folder.open();
    assert_eq!(store.message(ticket).unwrap(), message);
    let entry = store.get(ticket).unwrap();
    assert_eq!(
        (entry.state, entry.action, entry.size),
        (State::Held, Action::Hold, message.len() as u64)
    );
    assert_eq!(entry.findings, ["script", "vba-macro"]);
    assert_eq!(store.report(ticket).unwrap().unwrap()["score"], 60);
    let events = store.audit(ticket).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].what.as_str(), events[0].detail.as_str()),
        ("held", "stored")
    );
    assert_eq!(store.usage().unwrap().messages, 1);
    assert!(kinds(&store.verify(Mending::Done).unwrap()).is_empty());
}

#[test]
fn the_same_message_again_has_the_same_number_and_a_stricter_action_counts() {
    let folder = Folder::new();
    let store = folder.open();
    let ticket = put(&store, b"Received: from p; 1\r\nSubject: a\r\n\r\n");
    let again = put_as(
        &store,
        b"Received: from q; 2\r\nSubject: a\r\n\r\n",
        &["b@x.example"],
        Action::Quarantine,
        Duration::ZERO,
    );
    assert_eq!(again.unwrap(), Stored::Known(ticket));
    assert_eq!(store.get(ticket).unwrap().state, State::Quarantined);
    assert_eq!(put(&store, b"Subject: a\r\n\r\n"), ticket);
    assert_eq!(store.get(ticket).unwrap().state, State::Quarantined);
    assert_ne!(put(&store, b"Subject: b\r\n\r\n"), ticket);
    assert_eq!(store.list(&Filter::default()).unwrap().len(), 2);
    let refused = put_as(&store, b"c", &["b@x.example"], Action::Tag, Duration::ZERO);
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
}

#[test]
fn equal_bytes_are_one_file_that_goes_with_the_last_message() {
    let folder = Folder::new();
    let store = folder.open();
    let to = |to: &str| {
        let stored = put_as(
            &store,
            b"Subject: a\r\n\r\n",
            &[to],
            Action::Quarantine,
            Duration::ZERO,
        );
        stored.unwrap().ticket()
    };
    let (one, two) = (to("b@x"), to("c@x"));
    assert_ne!(one, two);
    assert_eq!(folder.messages().len(), 1);
    store.delete(one, BECAUSE).unwrap();
    assert!(store.message(two).is_ok());
    assert!(matches!(
        store.message(one),
        Err(StoreError::Refused { .. })
    ));
    store.delete(two, BECAUSE).unwrap();
    assert!(folder.messages().is_empty());
    let gone = store.delete(two, BECAUSE).unwrap_err().to_string();
    assert!(gone.ends_with("is deleted already"), "{gone}");
    assert_eq!(store.report(one).unwrap(), None);
    let events = store.audit(one).unwrap();
    assert_eq!(
        (
            events[1].what.as_str(),
            events[1].who.as_str(),
            events[1].why.as_str()
        ),
        ("deleted", "test", "to see")
    );
    // What is gone is stored anew when it comes again.
    assert_ne!(to("b@x"), one);
}

#[test]
fn the_audit_is_neither_changed_nor_shortened() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, b"Subject: a\r\n\r\n");
    for sql in ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"] {
        let changed = store
            .index
            .write(|transaction| Ok(transaction.execute(sql, [])?));
        assert!(changed.is_err(), "{sql}");
    }
}

#[test]
fn a_full_store_refuses_and_only_what_is_past_its_time_makes_room() {
    let folder = Folder::new();
    let mut noise = [0; 600_000];
    getrandom::fill(&mut noise).unwrap();
    let small = StoreSettings {
        max_size: 1 << 20,
        ..SETTINGS
    };
    let store = Store::open(&folder.0, small).unwrap();
    let old = put_as(&store, &noise, &["old@x"], Action::Hold, 89 * DAY).unwrap();
    noise[0] ^= 1;
    let full = put_as(&store, &noise, &["new@x"], Action::Hold, DAY).unwrap_err();
    assert!(matches!(full, StoreError::Full { .. }), "{full}");
    assert!(full.hint().unwrap().contains("max_size"));
    assert!(folder.names("incoming").is_empty());
    assert_eq!(store.get(old.ticket()).unwrap().state, State::Held);
    // What is known needs no room.
    noise[0] ^= 1;
    assert_eq!(
        put_as(&store, &noise, &["old@x"], Action::Hold, DAY).unwrap(),
        Stored::Known(old.ticket())
    );
    drop(store);
    let shorter = StoreSettings {
        keep: 30 * DAY,
        ..small
    };
    let store = Store::open(&folder.0, shorter).unwrap();
    noise[0] ^= 1;
    put_as(&store, &noise, &["new@x"], Action::Hold, DAY).unwrap();
    assert_eq!(store.get(old.ticket()).unwrap().state, State::Expired);
}

#[test]
fn only_what_is_old_enough_expires() {
    let folder = Folder::new();
    let store = folder.open();
    let aged = |days: u32| {
        let message = format!("Subject: {days}\r\n\r\n");
        put_as(
            &store,
            message.as_bytes(),
            &["b@x"],
            Action::Hold,
            days * DAY,
        )
        .unwrap()
        .ticket()
    };
    let [young, middle, old] = [1, 60, 91].map(aged);
    assert_eq!(store.purge(None, BECAUSE).unwrap(), [old]);
    assert!(store.purge(None, BECAUSE).unwrap().is_empty());
    assert_eq!(store.purge(Some(30 * DAY), BECAUSE).unwrap(), [middle]);
    assert_eq!(store.get(young).unwrap().state, State::Held);
    assert_eq!(folder.messages().len(), 1);
    let expired = Filter {
        states: vec![State::Expired],
        ..Filter::default()
    };
    assert_eq!(store.list(&expired).unwrap().len(), 2);
}

#[test]
fn filters_find_by_every_field() {
    let folder = Folder::new();
    let store = folder.open();
    let one = put_as(
        &store,
        b"a",
        &["Hanako@x.example", "jiro@y.example"],
        Action::Hold,
        2 * DAY,
    )
    .unwrap()
    .ticket();
    let two = put_as(
        &store,
        b"b",
        &["taro@x.example"],
        Action::Quarantine,
        Duration::ZERO,
    )
    .unwrap()
    .ticket();
    let now = time::now();
    let cases: [(Filter, &[Ticket]); 9] = [
        (Filter::default(), &[two, one]),
        (
            Filter {
                limit: Some(1),
                ..Filter::default()
            },
            &[two],
        ),
        (
            Filter {
                since: Some(now - 3600),
                ..Filter::default()
            },
            &[two],
        ),
        (
            Filter {
                until: Some(now - 3600),
                ..Filter::default()
            },
            &[one],
        ),
        (
            Filter {
                states: vec![State::Held, State::Deleted],
                ..Filter::default()
            },
            &[one],
        ),
        (
            Filter {
                recipient: Some("HANAKO".into()),
                ..Filter::default()
            },
            &[one],
        ),
        (
            Filter {
                sender: Some("a@x".into()),
                ..Filter::default()
            },
            &[two, one],
        ),
        (
            Filter {
                findings: vec!["none".into(), "script".into()],
                ..Filter::default()
            },
            &[two, one],
        ),
        (
            Filter {
                action: Some(Action::Quarantine),
                route: Some("default".into()),
                ..Filter::default()
            },
            &[two],
        ),
    ];
    let none = Filter {
        recipient: Some("%".into()),
        ..Filter::default()
    };
    assert!(store.list(&none).unwrap().is_empty());
    let other = Filter {
        route: Some("other".into()),
        ..Filter::default()
    };
    assert!(store.list(&other).unwrap().is_empty());
    for (filter, expected) in cases {
        let found: Vec<Ticket> = store
            .list(&filter)
            .unwrap()
            .iter()
            .map(|entry| entry.id)
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[test]
fn a_damaged_or_missing_file_is_told_and_comes_back_with_the_message() {
    let folder = Folder::new();
    let store = folder.open();
    let message = b"Subject: a\r\n\r\n".repeat(50);
    let ticket = put(&store, &message);
    let path = folder.messages().remove(0);
    let whole = std::fs::read(&path).unwrap();
    let mut bad = whole.clone();
    bad[20] ^= 0x40;
    for (wrong, kind) in [
        (Some(bad), "damaged"),
        (Some(whole[..9].to_vec()), "damaged"),
        (None, "missing"),
    ] {
        match &wrong {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let error = store.message(ticket).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert_eq!(kinds(&store.verify(Mending::Told).unwrap()), [kind]);
        let verified = store.verify(Mending::Done).unwrap();
        assert_eq!(kinds(&verified), [kind]);
        assert!(verified.mismatches[0].is_loss());
        assert!(store.get(ticket).unwrap().damage.is_some());
        assert!(!path.exists());
        // It stays told for as long as it is so.
        assert_eq!(kinds(&store.verify(Mending::Done).unwrap()), ["missing"]);
        // A retry of the sender brings the bytes back under the same number.
        assert_eq!(put(&store, &message), ticket);
        assert_eq!(store.message(ticket).unwrap(), message);
        assert_eq!(store.get(ticket).unwrap().damage, None);
        assert!(kinds(&store.verify(Mending::Done).unwrap()).is_empty());
    }
    assert_eq!(folder.names("damaged").len(), 2);
    // A backup does as well.
    std::fs::remove_file(&path).unwrap();
    store.verify(Mending::Done).unwrap();
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(
        kinds(&store.verify(Mending::Done).unwrap()),
        ["recovered", "uncounted"]
    );
    assert!(kinds(&store.verify(Mending::Done).unwrap()).is_empty());
}

#[test]
fn what_a_process_that_died_left_is_mended_at_the_next_start() {
    let folder = Folder::new();
    let ticket = put(&folder.open(), b"Subject: a\r\n\r\n");
    let settled = folder.messages().remove(0);
    let name = settled.file_stem().unwrap().to_str().unwrap().to_owned();
    let incoming = folder.0.join("incoming");
    // It died after the row, before the file had its place.
    std::fs::rename(&settled, incoming.join(format!("{name}.0001-0002-0003"))).unwrap();
    let store = folder.open();
    assert_eq!(store.message(ticket).unwrap(), b"Subject: a\r\n\r\n");
    // It died while it wrote: half of a known message, half of a new one, half a key.
    for half in [&name, &"ab".repeat(32), "key"] {
        std::fs::write(incoming.join(format!("{half}.0001-0002-0003")), b"half").unwrap();
    }
    let told = store.verify(Mending::Told).unwrap();
    assert_eq!(kinds(&told), ["leftover"; 3]);
    drop(store);
    let store = folder.open();
    assert!(folder.names("incoming").is_empty());
    assert_eq!(store.message(ticket).unwrap(), b"Subject: a\r\n\r\n");
    // It died between the row of a deletion and the file.
    let copy = std::fs::read(&settled).unwrap();
    let digest = store.get(ticket).unwrap().digest;
    store.delete(ticket, BECAUSE).unwrap();
    std::fs::write(&settled, copy).unwrap();
    store
        .index
        .write(|transaction| Ok(transaction.execute("INSERT INTO doomed VALUES (?1)", [digest])?))
        .unwrap();
    assert_eq!(kinds(&store.verify(Mending::Told).unwrap()), ["unneeded"]);
    drop(store);
    folder.open();
    assert!(!settled.exists());
}

#[test]
fn files_without_a_row_are_set_aside_and_foreign_ones_left_alone() {
    let folder = Folder::new();
    let store = folder.open();
    put(&store, b"Subject: a\r\n\r\n");
    let orphan = store.files.message(&[7; 32]);
    std::fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    std::fs::write(&orphan, b"x").unwrap();
    let stranger = folder.0.join("messages/README");
    std::fs::write(&stranger, b"x").unwrap();
    let verified = store.verify(Mending::Done).unwrap();
    assert_eq!(kinds(&verified), ["orphan", "stranger"]);
    assert!(!orphan.exists() && stranger.exists());
    assert_eq!(folder.names("orphans").len(), 1);
    assert_eq!(kinds(&store.verify(Mending::Done).unwrap()), ["stranger"]);
    // They are kept as long as messages.
    store.purge(None, BECAUSE).unwrap();
    assert_eq!(folder.names("orphans").len(), 1);
    store.purge(Some(Duration::ZERO), BECAUSE).unwrap();
    assert!(folder.names("orphans").is_empty());
}

#[test]
fn a_damaged_or_missing_index_is_an_error_that_says_what_to_do() {
    let folder = Folder::new();
    let ticket = put(&folder.open(), b"Subject: a\r\n\r\n");
    let index = folder.0.join("index.sqlite3");
    let whole = std::fs::read(&index).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..].fill(0x5a);
    for bytes in [
        Some(&b"no database at all, but long enough to be one".repeat(100)),
        Some(&damaged),
        None,
    ] {
        match bytes {
            Some(bytes) => std::fs::write(&index, bytes).unwrap(),
            None => std::fs::remove_file(&index).unwrap(),
        }
        let error = Store::open(&folder.0, SETTINGS)
            .and_then(|store| store.verify(Mending::Done))
            .unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("index.sqlite3"), "{error}");
        assert!(error.hint().unwrap().contains("backup"));
        assert_eq!(folder.messages().len(), 1);
    }
    std::fs::write(&index, whole).unwrap();
    assert!(folder.open().message(ticket).is_ok());
}

#[test]
fn a_folder_that_cannot_be_made_is_unreachable() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("file");
    std::fs::write(&file, b"x").unwrap();
    let error = Store::open(&file.join("store"), SETTINGS).unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = folder.open();
    let ticket = put(&store, b"Subject: a\r\n\r\n");
    store.claim(ticket, "b@x", &[0; 32], Repeat::Never).unwrap();
    let mut waiting = vec![folder.0.clone()];
    let mut files = 0;
    while let Some(path) = waiting.pop() {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            waiting.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            assert_eq!(mode, 0o600, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 4, "{files}");
}

#[test]
fn a_token_is_good_once_and_for_its_message_only() {
    let folder = Folder::new();
    let store = folder.open();
    let message = b"Subject: a\r\n\r\n";
    let ticket = put(&store, message);
    let digest = message_digest(message);
    let token = |repeat| match store.claim(ticket, "b@x.example", &digest, repeat).unwrap() {
        Claim::Granted { token } => token,
        Claim::Before(before) => panic!("{before:?}"),
    };
    let first = token(Repeat::Never);
    let mut forged = first.clone();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    let wrong = [
        String::new(),
        "v1".to_owned(),
        forged,
        first.replace("v1.", "v2."),
        format!("{first}.x"),
    ];
    for wrong in wrong {
        assert!(
            matches!(
                store.redeem(&wrong, &digest),
                Err(StoreError::Refused { .. })
            ),
            "{wrong}"
        );
    }
    assert!(
        store
            .redeem(&first, &message_digest(b"Subject: b\r\n\r\n"))
            .is_err()
    );
    let carried = format!("Received: by hop\r\n{RELEASE_HEADER}: {first}\r\nSubject: a\r\n\r\n");
    let redeemed = store
        .redeem(
            &format!(" {first}\r\n"),
            &message_digest(carried.as_bytes()),
        )
        .unwrap();
    assert_eq!(
        (redeemed.ticket, redeemed.recipient.as_str()),
        (ticket, "b@x.example")
    );
    let used = store.redeem(&first, &digest).unwrap_err().to_string();
    assert!(used.contains("used before"), "{used}");
    let second = token(Repeat::Again);
    // The key of another store signs nothing here.
    let secret = folder.0.join("release.key");
    let key = std::fs::read(&secret).unwrap();
    std::fs::write(&secret, [0; 32]).unwrap();
    assert!(store.redeem(&second, &digest).is_err());
    std::fs::write(&secret, key).unwrap();
    store
        .index
        .write(|transaction| {
            Ok(transaction.execute("UPDATE token SET made = made - 6 * 86400", [])?)
        })
        .unwrap();
    let old = store.redeem(&second, &digest).unwrap_err().to_string();
    assert!(old.contains("too old"), "{old}");
}

#[test]
fn a_message_is_released_once_every_recipient_has_it() {
    let folder = Folder::new();
    let store = folder.open();
    let stored = put_as(&store, b"a", &["b@x", "c@x"], Action::Hold, Duration::ZERO);
    let ticket = stored.unwrap().ticket();
    let claim = |to: &str, repeat| store.claim(ticket, to, &[0; 32], repeat).unwrap();
    assert!(matches!(claim("b@x", Repeat::Never), Claim::Granted { .. }));
    // Somebody else presses the button at the same time.
    assert!(matches!(claim("b@x", Repeat::Never), Claim::Before(before) if before.reply.is_none()));
    store
        .not_released(ticket, "b@x", "451 later", BECAUSE)
        .unwrap();
    assert!(matches!(claim("b@x", Repeat::Never), Claim::Granted { .. }));
    store.released(ticket, "b@x", "250 ok", BECAUSE).unwrap();
    assert_eq!(store.get(ticket).unwrap().state, State::Held);
    assert!(matches!(claim("c@x", Repeat::Never), Claim::Granted { .. }));
    store.released(ticket, "c@x", "250 ok", BECAUSE).unwrap();
    let entry = store.get(ticket).unwrap();
    assert_eq!((entry.state, entry.released.len()), (State::Released, 2));
    assert!(matches!(claim("b@x", Repeat::Again), Claim::Granted { .. }));
    let what: Vec<String> = store
        .audit(ticket)
        .unwrap()
        .into_iter()
        .map(|event| event.what)
        .collect();
    assert_eq!(what, ["held", "not-sent", "sent", "sent", "released"]);
    assert!(store.mark(ticket, State::Held, BECAUSE).is_err());
    store.delete(ticket, BECAUSE).unwrap();
    assert!(store.claim(ticket, "d@x", &[0; 32], Repeat::Again).is_err());
}

#[test]
fn many_writers_lose_nothing_and_double_nothing() {
    let folder = Folder::new();
    let put_all = |path: &Path, seed: u32| {
        let store = Store::open(path, SETTINGS).unwrap();
        (0..40)
            .map(|number| {
                // Every second message is the same for all of them.
                let own = if number % 2 == 0 { 0 } else { seed };
                put(
                    &store,
                    format!("Subject: {number} of {own}\r\n\r\n").as_bytes(),
                )
            })
            .collect::<Vec<_>>()
    };
    let tickets: Vec<Vec<Ticket>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=4)
            .map(|seed| {
                let path = &folder.0;
                scope.spawn(move || put_all(path, seed))
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    for other in &tickets[1..] {
        let shared = |tickets: &[Ticket]| tickets.iter().copied().step_by(2).collect::<Vec<_>>();
        assert_eq!(shared(&tickets[0]), shared(other));
    }
    let store = folder.open();
    assert_eq!(store.list(&Filter::default()).unwrap().len(), 20 + 4 * 20);
    let verified = store.verify(Mending::Told).unwrap();
    assert!(verified.mismatches.is_empty(), "{verified:?}");
    assert_eq!(verified.messages, 100);
}
