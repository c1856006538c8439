//! The product as its users meet it: one binary, so that it links once.
//!
//! | file | what |
//! | --- | --- |
//! | `cli` | arguments and files → standard output, standard error, exit code |
//! | `support` | running the program, folders that vanish |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test reports by panicking, and starts the program"
)]

mod cli;
mod support;
