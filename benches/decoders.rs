//! Our readers of compressed files against the crates that decode for them, on the same data: what is asked is at most
//! 1.2 times the crate's time. A child is hashed and identified; the crate's time is given with a hash of the content too.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and reports by panicking"
)]

use std::io::{Cursor, Read, Write};
use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;
use sha2::{Digest, Sha256};

use sekisho::identify;
use sekisho::limits::{Budget, Limits};
use sekisho::model::Artifact;
use sekisho::unpack::{Nest, Seen, UNPACKERS};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of the content.
const SIZE: usize = 24_000_000;

/// Runs of each, the fastest of which counts.
const RUNS: usize = 5;

/// A format: the unpacker's name, what writes it, and what reads it by the crate alone.
type Case = (&'static str, fn(&[u8]) -> Vec<u8>, fn(&[u8]) -> Vec<u8>);

const CASES: &[Case] = &[
    ("gzip", gzip, |data| {
        all(flate2::bufread::GzDecoder::new(data))
    }),
    ("zip", zip, |data| {
        let mut archive = ::zip::ZipArchive::new(Cursor::new(data)).unwrap();
        all(archive.by_index(0).unwrap())
    }),
    ("xz", xz, |data| all(lzma_rust2::XzReader::new(data, false))),
    ("bzip2", bzip2, |data| {
        all(::bzip2::bufread::BzDecoder::new(data))
    }),
    ("zstd", zstd, |data| {
        all(::zstd::stream::read::Decoder::with_buffer(data).unwrap())
    }),
    ("7z", sevenz, |data| {
        let password = sevenz_rust2::Password::empty();
        let mut reader = sevenz_rust2::ArchiveReader::new(Cursor::new(data), password).unwrap();
        // Only this thread is measured.
        reader.set_thread_count(1);
        let mut out = Vec::new();
        let each = |_: &sevenz_rust2::ArchiveEntry, from: &mut dyn Read| {
            out = all(from);
            Ok(true)
        };
        reader.for_each_entries(each).unwrap();
        out
    }),
];

fn main() {
    let quick = !std::env::args().any(|word| word == "--bench");
    let content = content(if quick { 100_000 } else { SIZE });
    println!(
        "{:6} {:>11} {:>10} {:>10} {:>10} {:>7} {:>7}",
        "format", "packed", "crate", "with hash", "ours", "ratio", "of both"
    );
    for (name, write, read) in CASES {
        let data = Bytes::from(write(&content));
        assert!(read(&data) == content, "{name}");
        let bare = fastest(|| drop(read(&data)));
        let hashed = fastest(|| assert!(Sha256::digest(read(&data)).len() == 32));
        let ours = fastest(|| unpack(&data));
        let ratio = |of: Duration| ours.as_secs_f64() / of.as_secs_f64();
        println!(
            "{name:6} {:>11} {bare:>10.1?} {hashed:>10.1?} {ours:>10.1?} {:>7.2} {:>7.2}",
            data.len(),
            ratio(bare),
            ratio(hashed),
        );
    }
}

fn fastest(mut run: impl FnMut()) -> Duration {
    let times = (0..RUNS).map(|_| {
        let start = ThreadTime::now();
        run();
        start.elapsed()
    });
    times.min().unwrap()
}

fn unpack(data: &Bytes) {
    let budget = Budget::new(Limits::default(), None);
    let identity = identify::identify(data, &budget);
    let artifact = Artifact::alone(identity.kind, data.clone());
    let rows = UNPACKERS
        .iter()
        .filter(|row| row.kinds.contains(&artifact.kind));
    let mut seen = Seen::new();
    let mut made = 0;
    for row in rows.filter(|row| row.name != "volumes") {
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        (row.run)(&artifact, &mut nest).unwrap();
        made += nest.len();
    }
    assert_eq!(made, 1);
}

fn all(mut from: impl Read) -> Vec<u8> {
    let mut out = Vec::with_capacity(SIZE);
    std::io::copy(&mut from, &mut out).unwrap();
    out
}

/// Text that compresses as business text does.
fn content(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 200);
    let mut number = 0_u64;
    while out.len() < len {
        number += 1;
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        writeln!(
            out,
            "{number};{mixed};お世話になっております {:x};The delivery of part {} is late",
            mixed.wrapping_mul(mixed),
            mixed % 977
        )
        .unwrap();
    }
    out
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

fn zip(content: &[u8]) -> Vec<u8> {
    let mut to = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default();
    to.start_file("content.txt", options).unwrap();
    to.write_all(content).unwrap();
    to.finish().unwrap().into_inner()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(3);
    let mut to = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut to = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::default());
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ::zstd::stream::encode_all(content, 3).unwrap()
}

fn sevenz(content: &[u8]) -> Vec<u8> {
    let mut to = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    let entry = sevenz_rust2::ArchiveEntry::new_file("content.txt");
    to.push_archive_entry(entry, Some(content)).unwrap();
    to.finish().unwrap().into_inner()
}
