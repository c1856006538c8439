//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `milter` | every action, counted mails, killed gateways |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod host;
mod milter;
mod serve;
