//! Messages and files without what has to go.
//!
//! Everything here is an edit on byte ranges: what no edit names stays byte for byte, by construction. Targets are
//! found again by structure, never by name, and the result is read again before it is given to anybody; that nothing
//! is left in it is for the caller to show, with another scan.

mod blocks;
pub mod disarm;
mod mail;
mod marks;
mod notice;
mod quoted;

pub use mail::{Content, Order, Refused, Rewritten, rewrite};
pub use notice::Notice;
