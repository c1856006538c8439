//! Plain data that stages hand to each other: artifacts, facts, findings, the report.

mod action;
mod artifact;
mod envelope;
mod fact;
mod finding;
mod kind;
mod name;
mod report;
mod trouble;

pub use action::Action;
pub(crate) use artifact::hex;
pub use artifact::{Artifact, Id, MailSummary, children};
pub use envelope::Envelope;
pub use fact::{Fact, Formula, Hides, Hiding, PdfDeed, Role};
pub use finding::{Evidence, Finding, Ioc, IocType, Severity};
pub use kind::{Family, Kind};
pub use name::Name;
pub use report::{Level, Raised, Report};
pub use trouble::Trouble;
