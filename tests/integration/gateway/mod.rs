//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `clamd`, `clamdscan` | the protocol of clamd, by hand and by ClamAV's own client |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `milter` | every action, counted mails, killed gateways |
//! | `olefy` | OLEFY/1.0 |
//! | `notices` | who is told of what was held back, and when |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod clamd;
mod clamdscan;
mod host;
mod milter;
mod notices;
mod olefy;
mod serve;
