//! sekisho: an email and document attachment scanning gateway.
//!
//! Data goes one way: bytes → [`unpack`] until nothing opens → [`analyze`] and [`rules`] → [`score`] → report.
//! [`engine::Worker::scan`] is the one path from bytes to a [`model::Report`]; everything above it differs only in
//! where bytes come from and what is done with the report. A module names only modules of the rows above its own:
//!
//! | row | modules |
//! | --- | --- |
//! | 0 | [`bytes`], [`limits`], [`text`] |
//! | 1 | [`model`] |
//! | 2 | [`formats`], [`knowledge`] |
//! | 3 | [`identify`] |
//! | 4 | [`unpack`], [`analyze`], [`rules`] |
//! | 5 | [`score`] |
//! | 6 | [`engine`] |
//! | 7 | [`config`], [`report`], [`rewrite`], [`source`] |
//! | 8 | [`policy`] |
//! | 9 | [`quarantine`] |
//! | 10 | [`notify`] |
//! | 11 | [`batch`], [`gateway`] |
//! | 12 | [`cli`] |

pub mod analyze;
pub mod batch;
pub mod bytes;
pub mod cli;
pub mod config;
pub mod engine;
pub mod formats;
pub mod gateway;
pub mod identify;
pub mod knowledge;
pub mod limits;
pub mod model;
pub mod notify;
pub mod policy;
pub mod quarantine;
pub mod report;
pub mod rewrite;
pub mod rules;
pub mod score;
pub mod source;
pub mod text;
pub mod unpack;
