//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `clamd`, `clamdscan` | the protocol of clamd, by hand and by ClamAV's own client |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `milter` | every action, counted mails, killed gateways |
//! | `olefy` | OLEFY/1.0 |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod clamd;
mod clamdscan;
mod host;
mod milter;
mod olefy;
mod serve;
