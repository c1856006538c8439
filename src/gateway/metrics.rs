//! Counters in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::Protocol;

use super::filter::Filter;
use super::log::{self, Record};

/// Upper bounds of the time histogram in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0];

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    tallies: Mutex<Tallies>,
    listeners: [ListenerCounts; Protocol::ALL.len()],
    pub(super) reloads: AtomicU64,
    pub(super) refused_reloads: AtomicU64,
    pub(super) relay: RelayCounts,
}

/// What became of messages at the relay's next hop.
#[derive(Debug, Default)]
pub(super) struct RelayCounts {
    /// Copies that it took.
    pub(super) accepted: AtomicU64,
    /// That it refused for good.
    pub(super) refused: AtomicU64,
    /// That it did not take now, or not at all because it does not answer.
    pub(super) failed: AtomicU64,
    /// That were held, since others of the same message had been taken.
    pub(super) held: AtomicU64,
}

/// Connections of one listener.
#[derive(Debug, Default)]
pub(super) struct ListenerCounts {
    /// Open now.
    pub(super) open: AtomicU64,
    /// Over the cap.
    pub(super) refused: AtomicU64,
    /// That ended out of order.
    pub(super) bad: AtomicU64,
}

#[derive(Debug, Default)]
struct Tallies {
    messages: BTreeMap<(&'static str, &'static str), u64>,
    troubles: BTreeMap<&'static str, u64>,
    within: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// The counts of one listener.
    pub(super) fn listener(&self, protocol: Protocol) -> &ListenerCounts {
        // One for each, in the order of their declaration.
        let [milter, relay, clamd, olefy, http] = &self.listeners;
        match protocol {
            Protocol::Milter => milter,
            Protocol::Relay => relay,
            Protocol::Clamd => clamd,
            Protocol::Olefy => olefy,
            Protocol::Http => http,
        }
    }

    pub(super) fn count(&self, record: &Record, took: Duration) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let add = |count: &mut u64| *count = count.saturating_add(1);
        let verdict = match record.verdict {
            "" => "none",
            verdict => verdict,
        };
        add(tallies
            .messages
            .entry((record.action, verdict))
            .or_default());
        if let Some(trouble) = record.trouble {
            add(tallies.troubles.entry(log::name(trouble)).or_default());
        }
        let seconds = took.as_secs_f64();
        for (within, bound) in tallies.within.iter_mut().zip(BOUNDS) {
            if seconds <= bound {
                add(within);
            }
        }
        add(&mut tallies.count);
        tallies.seconds += seconds;
    }
}

/// The page of all metrics.
pub(super) fn page(filter: &Filter) -> String {
    let mut out = String::new();
    let tallies = &filter.metrics.tallies;
    tallies
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .write(&mut out);
    write_connections(filter, &mut out);
    write_state(filter, &mut out);
    write_relay(&filter.metrics.relay, &mut out);
    write_store(filter, &mut out);
    out
}

impl Tallies {
    // Writing to a String cannot fail.
    fn write(&self, out: &mut String) {
        let help = "Messages by what was done with them.";
        head(out, "messages_total", "counter", help);
        for ((action, verdict), count) in &self.messages {
            let labels = format!("action=\"{action}\",verdict=\"{verdict}\"");
            let _ = writeln!(out, "sekisho_messages_total{{{labels}}} {count}");
        }
        let help = "Messages that could not be scanned.";
        head(out, "troubles_total", "counter", help);
        for (trouble, count) in &self.troubles {
            let label = format!("trouble=\"{trouble}\"");
            let _ = writeln!(out, "sekisho_troubles_total{{{label}}} {count}");
        }
        let name = "message_seconds";
        let help = "Time from the end of a message to its answer.";
        head(out, name, "histogram", help);
        for (within, bound) in self.within.iter().zip(BOUNDS) {
            let _ = writeln!(out, "sekisho_{name}_bucket{{le=\"{bound}\"}} {within}");
        }
        let (count, seconds) = (self.count, self.seconds);
        let _ = writeln!(
            out,
            "sekisho_{name}_bucket{{le=\"+Inf\"}} {count}\nsekisho_{name}_sum {seconds}\nsekisho_{name}_count {count}"
        );
    }
}

fn write_connections(filter: &Filter, out: &mut String) {
    type Count = fn(&ListenerCounts) -> &AtomicU64;
    let rows: [(&str, &str, &str, Count); 3] = [
        ("connections", GAUGE, "Connections.", |counts| &counts.open),
        (
            "connections_refused_total",
            COUNTER,
            "Connections over the cap.",
            |counts| &counts.refused,
        ),
        (
            "connections_bad_total",
            COUNTER,
            "Connections that ended out of order.",
            |counts| &counts.bad,
        ),
    ];
    for (name, kind, help, count) in rows {
        head(out, name, kind, help);
        for protocol in Protocol::ALL {
            let value = count(filter.metrics.listener(protocol)).load(Ordering::Relaxed);
            let listener = protocol.as_str();
            let _ = writeln!(out, "sekisho_{name}{{listener=\"{listener}\"}} {value}");
        }
    }
}

fn write_state(filter: &Filter, out: &mut String) {
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let metrics = &filter.metrics;
    let waiting = filter.pool.waiting().0 as u64;
    let refused_reloads = load(&metrics.refused_reloads);
    let used = filter.admission.used();
    let rows: [(&str, &str, &str, u64); 5] = [
        ("reloads_total", COUNTER, "Reloads.", load(&metrics.reloads)),
        (
            "reloads_refused_total",
            COUNTER,
            "Reloads that did not hold.",
            refused_reloads,
        ),
        (
            "waiting",
            GAUGE,
            "Messages that wait for a scan thread.",
            waiting,
        ),
        (
            "threads_lost_total",
            COUNTER,
            "Scan threads left behind.",
            filter.pool.lost(),
        ),
        (
            "memory_admitted_bytes",
            GAUGE,
            "Memory given out to messages.",
            used,
        ),
    ];
    for (name, kind, help, value) in rows {
        one(out, name, kind, help, value);
    }
}

fn write_relay(counts: &RelayCounts, out: &mut String) {
    let help = "Messages at the relay's next hop.";
    head(out, "relay_messages_total", COUNTER, help);
    for (result, count) in [
        ("accepted", &counts.accepted),
        ("refused", &counts.refused),
        ("failed", &counts.failed),
        ("held", &counts.held),
    ] {
        let count = count.load(Ordering::Relaxed);
        let _ = writeln!(
            out,
            "sekisho_relay_messages_total{{result=\"{result}\"}} {count}"
        );
    }
}

fn write_store(filter: &Filter, out: &mut String) {
    let usage = filter.store.usage();
    let up = u64::from(usage.is_ok());
    one(
        out,
        "store_up",
        GAUGE,
        "Whether the quarantine answers.",
        up,
    );
    let Ok(usage) = usage else { return };
    let most = "Bytes in the quarantine at the most.";
    one(
        out,
        "store_bytes",
        GAUGE,
        "Bytes in the quarantine.",
        usage.bytes,
    );
    one(out, "store_max_bytes", GAUGE, most, usage.max_size);
    one(
        out,
        "store_messages",
        GAUGE,
        "Messages in the quarantine.",
        usage.messages,
    );
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

fn one(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(out, name, kind, help);
    let _ = writeln!(out, "sekisho_{name} {value}");
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP sekisho_{name} {help}\n# TYPE sekisho_{name} {kind}"
    );
}
