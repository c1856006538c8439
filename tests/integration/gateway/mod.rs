//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `auth` | DKIM, SPF and ARC |
//! | `milter` | every action, counted mails, killed gateways |
//! | `notices` | who is told of what was held back, and when |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod auth;
mod host;
mod milter;
mod notices;
mod serve;
