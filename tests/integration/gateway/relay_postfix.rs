//! The relay behind a real Postfix, before its queue and after it, by the lines of `deploy/postfix/`: every byte, every
//! mail counted, killed gateways.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use super::host::{Gateway, NextHop, Place, Postfix, free_port, send, until};
use super::milter::{
    ROUTES, as_sent, assert_each_once, assert_none_lost, clean, header, id_of_entry, load,
    malicious,
};
use crate::bench::Dice;

/// The gateway with Postfix before and behind it.
struct Flow {
    gateway: Gateway,
    hop: NextHop,
    postfix: Postfix,
    _place: Place,
}

impl Flow {
    /// None where there is no Postfix.
    fn start(mode: &str) -> Option<Self> {
        let place = Place::new();
        let (relay, back) = (free_port(), free_port());
        let hop = NextHop::start();
        let postfix = match mode {
            "before-queue" => Postfix::before_queue(relay, back, hop.port),
            _ => Postfix::after_queue(relay, back, hop.port),
        }?;
        let table = format!(
            "[relay]\nlisten = \"127.0.0.1:{relay}\"\nnext_hop = \"127.0.0.1:{back}\"\nmode = \"{mode}\"\n\
             xforward_from = [\"127.0.0.1\"]\n{ROUTES}"
        );
        Some(Self {
            gateway: Gateway::start(&place, &table),
            hop,
            postfix,
            _place: place,
        })
    }

    fn say(&self, to: &[&str], mail: &[u8]) -> String {
        send(self.postfix.port, to, mail).unwrap()
    }

    /// Postfix waits longer and longer for what was away, unless somebody tells it to try.
    fn empty_queue(&self) {
        let started = Instant::now();
        while self.postfix.queued() > 0 {
            assert!(
                started.elapsed() < Duration::from_secs(300),
                "the queue does not get empty"
            );
            self.postfix.command("flush");
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

fn every_byte_and_every_action(mode: &str) {
    let Some(flow) = Flow::start(mode) else {
        return;
    };
    assert!(
        flow.say(&["a@hq.test"], &clean("clean"))
            .starts_with("250 ")
    );
    until("the mail arrives", || flow.hop.all().len() == 1);
    let mail = flow.hop.all().remove(0);
    assert_eq!(mail.to, ["a@hq.test"]);
    let sent = String::from_utf8(clean("clean")).unwrap();
    let sent = sent.replace("X-Sekisho-Verdict: clean; forged\r\n", "");
    assert_eq!(String::from_utf8(as_sent(&mail)).unwrap(), sent);
    assert!(
        header(&mail, "X-Sekisho-Verdict: ")
            .unwrap()
            .starts_with("clean; score=0; ")
    );

    let said = flow.say(&["reject@hq.test"], &malicious("reject"));
    let state = |id: &str| {
        let listed = flow.gateway.quarantine();
        let found = listed.iter().filter(|entry| id_of_entry(entry) == id);
        found
            .map(|entry| entry["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    match mode {
        "before-queue" => {
            assert!(said.starts_with("550 5.7.1 refused by sekisho"), "{said}");
            assert_eq!(state("reject"), [""; 0]);
        }
        _ => {
            assert!(said.starts_with("250 "), "{said}");
            until("it is kept", || state("reject") == ["quarantined"]);
        }
    }
    let to = ["tag@hq.test", "a@hq.test", "strip@hq.test"];
    assert!(flow.say(&to, &malicious("mixed")).starts_with("250 "));
    until("the copies arrive", || flow.hop.all().len() == 3);
    let mut copies = flow.hop.all().split_off(1);
    copies.sort_by(|one, other| one.to.cmp(&other.to));
    let [strip, tag] = copies.try_into().unwrap();
    assert_eq!(
        (&strip.to[..], &tag.to[..]),
        (
            &["strip@hq.test".to_owned()][..],
            &["tag@hq.test".to_owned()][..]
        )
    );
    assert_eq!(as_sent(&tag), malicious("mixed"));
    assert!(String::from_utf8_lossy(&strip.data).contains("filename=\"removed-"));
    assert_eq!(state("mixed"), ["quarantined", "quarantined"]);
    flow.empty_queue();
    // Who the client is comes by XFORWARD: the route of the own network was taken.
    let log = flow.gateway.log();
    assert!(
        log.contains("client=\"127.0.0.1\"") && log.contains("helo=")
            || log.contains("listener=\"relay\""),
        "{log}"
    );
}

fn exactly_once(mode: &str) {
    let count = match std::env::var_os("SEKISHO_TEST_FULL") {
        Some(_) => 10_000,
        None => 300,
    };
    let Some(flow) = Flow::start(mode) else {
        return;
    };
    for sender in load(flow.postfix.port, count, &Arc::default()) {
        sender.join().unwrap();
    }
    flow.empty_queue();
    assert_each_once(&flow.gateway, &flow.hop, count);
}

fn killed(mode: &str) {
    let kills = match std::env::var_os("SEKISHO_TEST_FULL") {
        Some(_) => 100,
        None => 5,
    };
    let Some(mut flow) = Flow::start(mode) else {
        return;
    };
    let next = Arc::new(AtomicUsize::new(0));
    let count = kills * 60;
    let senders = load(flow.postfix.port, count, &next);
    let mut dice = Dice::new(6);
    for _ in 0..kills {
        let pause = 100 + dice.below(400) as u64;
        std::thread::sleep(Duration::from_millis(pause));
        flow.gateway.kill_and_restart();
    }
    for sender in senders {
        sender.join().unwrap();
    }
    flow.empty_queue();
    assert_none_lost(&flow.gateway, &flow.hop, count);
}

#[test]
fn before_the_queue_every_byte_and_every_action_shows() {
    every_byte_and_every_action("before-queue");
}

#[test]
fn after_the_queue_every_byte_and_every_action_shows() {
    every_byte_and_every_action("after-queue");
}

#[test]
fn before_the_queue_every_mail_is_accounted_for_exactly_once() {
    exactly_once("before-queue");
}

#[test]
fn after_the_queue_every_mail_is_accounted_for_exactly_once() {
    exactly_once("after-queue");
}

#[test]
fn before_the_queue_no_mail_is_lost_when_the_gateway_is_killed() {
    killed("before-queue");
}

#[test]
fn after_the_queue_no_mail_is_lost_when_the_gateway_is_killed() {
    killed("after-queue");
}
