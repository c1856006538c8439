//! The product's tests: one binary, this file is its table of contents.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::excessive_nesting,
    reason = "a test reports by panicking and by printing"
)]

/// The engine and the dice that tests share.
mod bench;
/// Real files with labels, where they are there.
mod corpus;
/// Damaged files: no panic, no hang, always a report.
mod mutate;
/// Every embedded rule has a hit and a near miss.
mod rules;
/// Layers, tables, catalogue, sizes: the shape of the code.
mod shape;
