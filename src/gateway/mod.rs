//! The gateway: mails from an MTA's protocol to the filter and back.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | listeners, connections, signals, reload, stop |
//! | `milter/` | the milter protocol |
//! | `smtp/` | the SMTP relay |
//! | `clamd/`, `olefy/` | the protocols of clamd and of OLEFY/1.0, for other filters |
//! | `filter` | message → scan → policy → answer, whatever the protocol |
//! | `auth` | what signatures say of a message, and the seal on a changed one |
//! | `inspect` | file → scan → policy → what was found, for other filters |
//! | `pool` | scan threads, their queue, memory |
//! | `interrupt` | Ctrl-C for programs that serve nobody |
//! | `http`, `metrics`, `log` | what administrators see |
//!
//! tokio is at home here and nowhere below; scanning is done by threads of its own.

mod auth;
mod canary;
pub mod clamd;
mod clean;
mod filter;
mod headers;
mod http;
mod inspect;
mod interrupt;
mod listen;
mod log;
mod metrics;
pub mod milter;
pub mod olefy;
pub mod plan;
mod pool;
mod server;
pub mod smtp;
mod systemd;

pub use auth::Authenticator;
pub use canary::try_harmless;
pub use interrupt::on_interrupt;
pub use pool::Generation;
pub use server::{NotServed, Reload, Server, ServerSettings};
pub use smtp::Certificates;
