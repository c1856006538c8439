//! The milter protocol: frames, sessions, and the connection that drives them.

pub mod codec;
mod connection;
pub mod session;

pub(super) use connection::serve;
