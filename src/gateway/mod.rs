//! The gateway: mails from an MTA's protocol to the filter and back.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | listeners, connections, signals, reload, stop |
//! | `milter/` | the milter protocol |
//! | `smtp/` | the SMTP relay |
//! | `filter` | message → scan → policy → answer, whatever the protocol |
//! | `pool` | scan threads, their queue, memory |
//! | `http`, `metrics`, `log` | what administrators see |
//!
//! tokio is at home here and nowhere below; scanning is done by threads of its own.

mod canary;
mod clean;
mod filter;
mod headers;
mod http;
mod listen;
mod log;
mod metrics;
pub mod milter;
pub mod plan;
mod pool;
mod server;
pub mod smtp;
mod systemd;

pub use pool::Generation;
pub use server::{Reload, Server, ServerSettings};
