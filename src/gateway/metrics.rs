//! Counters in the text format of Prometheus (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::filter::Filter;
use super::log::{self, Record};

/// Upper bounds of the time histogram in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0];

/// What happened since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    tallies: Mutex<Tallies>,
    pub(super) connections: AtomicU64,
    pub(super) refused_connections: AtomicU64,
    pub(super) bad_connections: AtomicU64,
    pub(super) reloads: AtomicU64,
    pub(super) refused_reloads: AtomicU64,
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
    let metrics = &filter.metrics;
    // Writing to a String cannot fail.
    {
        let tallies = metrics
            .tallies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        head(
            &mut out,
            "messages_total",
            "counter",
            "Messages by what was done with them.",
        );
        for ((action, verdict), count) in &tallies.messages {
            let _ = writeln!(
                out,
                "sekisho_messages_total{{action=\"{action}\",verdict=\"{verdict}\"}} {count}"
            );
        }
        head(
            &mut out,
            "troubles_total",
            "counter",
            "Messages that could not be scanned.",
        );
        for (trouble, count) in &tallies.troubles {
            let _ = writeln!(
                out,
                "sekisho_troubles_total{{trouble=\"{trouble}\"}} {count}"
            );
        }
        let name = "message_seconds";
        head(
            &mut out,
            name,
            "histogram",
            "Time from the end of a message to its answer.",
        );
        for (within, bound) in tallies.within.iter().zip(BOUNDS) {
            let _ = writeln!(out, "sekisho_{name}_bucket{{le=\"{bound}\"}} {within}");
        }
        let count = tallies.count;
        let _ = writeln!(
            out,
            "sekisho_{name}_bucket{{le=\"+Inf\"}} {count}\nsekisho_{name}_sum {}\nsekisho_{name}_count {count}",
            tallies.seconds
        );
    }
    let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let waiting = filter.pool.waiting().0 as u64;
    for (name, kind, help, value) in [
        (
            "connections",
            "gauge",
            "Connections of MTAs.",
            load(&metrics.connections),
        ),
        (
            "connections_refused_total",
            "counter",
            "Connections over the cap.",
            load(&metrics.refused_connections),
        ),
        (
            "connections_bad_total",
            "counter",
            "Connections that ended out of order.",
            load(&metrics.bad_connections),
        ),
        (
            "reloads_total",
            "counter",
            "Reloads of the configuration.",
            load(&metrics.reloads),
        ),
        (
            "reloads_refused_total",
            "counter",
            "Reloads that did not hold.",
            load(&metrics.refused_reloads),
        ),
        (
            "waiting",
            "gauge",
            "Messages that wait for a scan thread.",
            waiting,
        ),
        (
            "threads_lost_total",
            "counter",
            "Scan threads left behind.",
            filter.pool.lost(),
        ),
        (
            "memory_admitted_bytes",
            "gauge",
            "Memory given out to messages.",
            filter.admission.used(),
        ),
    ] {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "sekisho_{name} {value}");
    }
    let usage = filter.store.usage();
    head(
        &mut out,
        "store_up",
        "gauge",
        "Whether the quarantine answers.",
    );
    let _ = writeln!(out, "sekisho_store_up {}", u8::from(usage.is_ok()));
    if let Ok(usage) = usage {
        for (name, help, value) in [
            ("store_bytes", "Bytes in the quarantine.", usage.bytes),
            (
                "store_max_bytes",
                "Bytes in the quarantine at the most.",
                usage.max_size,
            ),
            (
                "store_messages",
                "Messages in the quarantine.",
                usage.messages,
            ),
        ] {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "sekisho_{name} {value}");
        }
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP sekisho_{name} {help}\n# TYPE sekisho_{name} {kind}"
    );
}
