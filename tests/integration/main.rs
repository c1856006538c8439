//! The product's tests: one binary, this file is its table of contents.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::string_slice,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::excessive_nesting,
    reason = "a test reports by panicking and by printing"
)]

/// Compound files against an independent reader, macros and locks against labels.
mod compound;
