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

pub mod ace;
pub mod alz;
pub mod ar;
pub mod arj;
pub mod asar;
pub mod base64;
pub mod biff;
pub mod biff12;
pub mod binhex;
pub mod brotli;
pub mod cab;
pub mod chm;
pub mod cms;
pub mod command_line;
pub mod cpio;
pub mod decmpfs;
pub mod disk;
pub mod dmg;
pub mod drawing;
pub mod egg;
pub mod encoded;
pub mod fat;
pub mod fields;
pub mod forms;
pub mod fsshttpb;
pub mod grains;
pub mod header;
pub mod header_words;
pub mod hfs;
pub mod html;
pub mod huffman;
pub mod hwp;
pub mod indicators;
pub mod ini;
pub mod installshield;
pub mod iscab;
pub mod iso9660;
pub mod jet;
pub mod lnk;
pub mod lzfse;
pub mod lznt1;
pub mod lzss;
pub mod lzw;
pub mod lzx;
pub mod mapi;
pub mod masked;
pub mod mbox;
pub mod mime;
pub mod monikers;
pub mod msbuild;
pub mod msg;
pub mod msi;
pub mod mszip;
pub mod mtef;
pub mod nsis;
pub mod ntfs;
pub mod odf_crypt;
pub mod offcrypto;
pub mod office_crypt;
pub mod office_links;
pub mod ole;
pub mod ole1;
pub mod onestore;
pub mod opc;
pub mod ovba;
pub mod page_leads;
pub mod partitions;
pub mod password_recipes;
pub mod password_words;
pub mod pdf;
pub mod pe;
pub mod pe_version;
pub mod picture;
pub mod ppt;
pub mod program_traits;
pub mod pst;
pub mod qcow;
pub mod qr;
pub mod quoted_printable;
pub mod rc4;
pub mod remote_reference;
pub mod rpm;
pub mod rtf;
pub mod rtf_compressed;
pub mod script;
pub mod script_encoder;
pub mod sis;
pub mod spreadsheet;
pub mod sylk;
pub mod tar;
pub mod tnef;
pub mod udf;
pub mod uuencode;
pub mod vba;
pub mod vdi;
pub mod vhd;
pub mod vmdk;
pub mod volumes;
pub mod wim;
pub mod word;
pub mod xar;
pub mod xlm;
pub mod xml;
pub mod xpress;
pub mod yenc;
pub mod zip;
