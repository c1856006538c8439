//! What a file comes to for somebody else's filter: bytes → scan → policy → [`Inspection`]. Nothing is stored or
//! changed here: who asked decides what is done. `dry_run` of a route changes no answer for that reason.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::config::{Protocol, Unscannable};
use crate::engine::{Context, Input, Worker};
use crate::model::{Action, Envelope, Report};
use crate::policy::{self, Decision, Failure, Grounds, Trouble};

use super::filter::{Filter, digest, out_of_time, today};
use super::log::{self, Record};
use super::pool::{Generation, Share};

/// A file that was looked at.
pub(super) struct Inspection {
    /// What was found in it.
    pub(super) report: Report,
    /// What the policy would do with it.
    pub(super) decision: Decision,
    /// The memory of the file and of what was in it; given back with the inspection.
    _share: Share,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    /// What they speak.
    pub(super) protocol: Protocol,
    /// From where, where that is known.
    pub(super) client: Option<IpAddr>,
}

impl Inspection {
    /// Whether the policy would hand it on as it is.
    pub(super) fn passes(&self) -> bool {
        self.decision.action <= Action::Tag
    }
}

impl Filter {
    /// Looks at a file, and says in one line of the log what was found. `share` holds the memory of its bytes.
    pub(super) async fn inspect(
        &self,
        asker: Asker,
        input: Input,
        share: Share,
    ) -> Result<Inspection, Trouble> {
        let started = Instant::now();
        let id = self.next_id();
        let envelope = Envelope {
            client: asker.client,
            listener: asker.protocol.as_str().to_owned(),
            // One decision, for whoever asked.
            recipients: vec![String::new()],
            ..Envelope::default()
        };
        let envelope = Arc::new(envelope);
        let size = input.data.len();
        let inspected = self.look(&envelope, input, share).await;
        let mut record = match &inspected {
            Ok(inspection) => {
                let decisions = std::slice::from_ref(&inspection.decision);
                Record::of(&inspection.report, decisions)
            }
            Err(_) => Record::default(),
        };
        record.action = match &inspected {
            Ok(inspection) if inspection.passes() => "pass",
            Ok(_) => "found",
            Err(_) => "error",
        };
        record.trouble = inspected.as_ref().err().copied();
        self.metrics.count(&record, started.elapsed());
        log::message(&id, &envelope, size, started.elapsed(), &record);
        inspected
    }

    async fn look(
        &self,
        envelope: &Arc<Envelope>,
        mut input: Input,
        mut share: Share,
    ) -> Result<Inspection, Trouble> {
        self.admit_scan(&mut share, input.data.len())?;
        let deadline = self.deadline();
        let digest = digest(&input.data).await;
        if self.tries.is_poison(&digest) {
            let (report, decision) = self.given_up(envelope, &input, Trouble::Lost, u32::MAX)?;
            return Ok(Inspection {
                report,
                decision,
                _share: share,
            });
        }
        input.context = Context {
            deadline: Some(deadline),
            ..input.context
        };
        let again = input.clone();
        let tries = Arc::clone(&self.tries);
        let asked = Arc::clone(envelope);
        let work = move |generation: &Generation, worker: &mut Worker<'_>| {
            let _running = tries.begin(&digest);
            let report = worker.scan(input);
            if out_of_time(&report, deadline) {
                return Err(Trouble::OutOfTime);
            }
            let catalogue = &generation.engine.knowledge.catalogue;
            let mut decisions = generation
                .policy
                .decide(&report, &asked, catalogue, today());
            // One recipient, one decision.
            let decision = decisions.pop().ok_or(Trouble::Lost)?;
            Ok((report, decision))
        };
        let done = self.pool.run(deadline, work).await.and_then(|done| done);
        let (report, decision) = match done {
            Err(trouble @ (Trouble::OutOfTime | Trouble::Lost)) => {
                let tries = self.tries.failed(&digest);
                self.given_up(envelope, &again, trouble, tries)?
            }
            done => done?,
        };
        Ok(Inspection {
            report,
            decision,
            _share: share,
        })
    }

    /// The failure policy for a file that did not survive its scan, or the scan it.
    fn given_up(
        &self,
        envelope: &Envelope,
        input: &Input,
        trouble: Trouble,
        tries: u32,
    ) -> Result<(Report, Decision), Trouble> {
        let generation = self.pool.generation();
        let route = generation.policy.route(envelope, "");
        let configured = match tries {
            u32::MAX => Unscannable::Act(Action::Quarantine),
            _ => route.unscannable(),
        };
        let Failure::Act(action) = policy::on_failure(trouble, configured, tries) else {
            return Err(trouble);
        };
        let report = generation.unfinished(input, trouble);
        let decision = Decision {
            route,
            action,
            grounds: Arc::new(Grounds {
                because: (0..report.findings.len()).collect(),
                ..Grounds::default()
            }),
        };
        Ok((report, decision))
    }
}

/// An input of bytes that nobody named.
pub(super) fn unnamed(asker: Asker, data: Bytes) -> Input {
    Input {
        path: asker.protocol.as_str().to_owned(),
        data,
        ..Input::default()
    }
}
