//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `clamd`, `clamdscan` | the protocol of clamd, by hand and by ClamAV's own client |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `hop` | a next hop that says what a test tells it to |
//! | `milter` | every action, counted mails, killed gateways |
//! | `olefy` | OLEFY/1.0 |
//! | `notices` | who is told of what was held back, and when |
//! | `relay` | the relay between literal bytes |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod clamd;
mod clamdscan;
mod hop;
mod host;
mod milter;
mod notices;
mod olefy;
mod relay;
mod serve;
