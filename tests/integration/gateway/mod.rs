//! The gateway behind a real Postfix, and by itself.
//!
//! | file | what |
//! | --- | --- |
//! | `clamd`, `clamdscan` | the protocol of clamd, by hand and by ClamAV's own client |
//! | `core` | sockets, caps, slow clients, reloads under load |
//! | `damaged` | damaged transcripts of every protocol: the server stays, and its memory too |
//! | `disarm` | documents disarmed on their way, allowed macros, releases |
//! | `host` | a Postfix in a folder of its own, the gateway, a client and a next hop |
//! | `auth` | DKIM, SPF and ARC |
//! | `hop` | a next hop that says what a test tells it to |
//! | `marks` | marks before subjects |
//! | `mail_servers` | Exim and Sendmail, with the samples of `deploy/` |
//! | `milter` | every action, counted mails, killed gateways |
//! | `miltertest` | scripts for miltertest: stages, flags, macros |
//! | `olefy` | OLEFY/1.0 |
//! | `notices` | who is told of what was held back, and when |
//! | `notices_tls` | notices by a server that asks for TLS and a login |
//! | `rspamd` | a real rspamd that asks us for its modules antivirus and oletools |
//! | `relay` | the relay between literal bytes |
//! | `relay_postfix` | the relay behind a real Postfix, before its queue and after it |
//! | `relay_tls` | STARTTLS of the relay, on both sides |
//! | `trouble` | a full disk, a store that is gone, clients that stop half way, through every front |
//! | `serve` | reload, refusals, metrics, hostile connections |

mod auth;
mod clamd;
mod clamdscan;
mod core;
mod damaged;
mod disarm;
mod hop;
mod host;
mod mail_servers;
mod marks;
mod milter;
mod miltertest;
mod notices;
mod notices_tls;
mod olefy;
mod relay;
mod relay_postfix;
mod relay_tls;
mod rspamd;
mod serve;
mod trouble;
