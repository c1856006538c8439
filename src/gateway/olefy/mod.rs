//! OLEFY/1.0, as rspamd's module oletools speaks it to olefy: a document in, a JSON array like olevba's out.
//!
//! | file | what |
//! | --- | --- |
//! | `codec` | a request, taken apart, pure |
//! | `answer` | a report → olevba's array |
//! | `connection` | one request a connection |
//!
//! There is no document of the protocol; this is what both sides' published sources do. Lines `OLEFY/1.0`,
//! `Method: oletools`, `Rspamd-ID: …`, an empty line, the file; then the client shuts down its side. The answer ends
//! with tab, newline, newline, tab. Unlike olefy there is no least size, and requests do not wait for each other.

mod answer;
pub mod codec;
mod connection;

pub(super) use connection::serve;
