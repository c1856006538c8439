//! Bytes → structure, one specification a file. Pure: `&[u8]` in, structure out; a budget is all it may ask.
//!
//! A reader here gives what it got plus what was wrong; it never judges and never refuses what the victim's
//! software would open.
#![warn(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss
)]

pub mod base64;
pub mod biff;
pub mod biff12;
pub mod binhex;
pub mod cms;
pub mod command_line;
pub mod disk;
pub mod encoded;
pub mod fat;
pub mod fields;
pub mod header;
pub mod header_words;
pub mod indicators;
pub mod iso9660;
pub mod lnk;
pub mod mapi;
pub mod mbox;
pub mod mime;
pub mod monikers;
pub mod msbuild;
pub mod msg;
pub mod mtef;
pub mod offcrypto;
pub mod office_links;
pub mod ole;
pub mod ole1;
pub mod opc;
pub mod ovba;
pub mod partitions;
pub mod pe_version;
pub mod ppt;
pub mod quoted_printable;
pub mod remote_reference;
pub mod rtf;
pub mod rtf_compressed;
pub mod script;
pub mod spreadsheet;
pub mod sylk;
pub mod tar;
pub mod tnef;
pub mod udf;
pub mod uuencode;
pub mod vba;
pub mod vhd;
pub mod word;
pub mod xlm;
pub mod xml;
pub mod yenc;
pub mod zip;
