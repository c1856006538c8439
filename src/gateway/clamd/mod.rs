//! The protocol of clamd (clamd(8), "COMMANDS"), so that whoever asks ClamAV can ask sekisho unchanged.
//!
//! | file | what |
//! | --- | --- |
//! | `codec` | bytes → commands and chunks, pure |
//! | `wire` | a connection that may carry file descriptors |
//! | `connection` | commands → answers |
//! | `names` | a report and a decision → the name of what was found |
//!
//! The protocol knows "OK", "FOUND" with a name, and "ERROR". What the policy for the listener `clamd` would not hand
//! on as it is, is FOUND; so is, by the built-in policy, what could not be looked through. ERROR is trouble of ours.
//! Left out on purpose: RELOAD and SHUTDOWN (a client has no say in that), STREAM (a second port for the data).

pub mod codec;
mod connection;
mod names;
mod wire;

pub(super) use connection::serve;
