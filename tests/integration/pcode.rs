//! Compiled code of the real macros beside the repository: it agrees with the source that Office wrote beside it, and
//! it is told as soon as the source is another. Where the folder is missing these tests say so and pass.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use sekisho::engine::Worker;
use sekisho::formats::ole::{ObjectType, Ole};
use sekisho::formats::ovba::{self, Dir, Identifiers, Pcode, Tail, Use};
use sekisho::limits::{Account, Budget, Limits};
use sekisho::model::{Kind, Report};

use crate::build::ovba_container;
use crate::compound::{compound_files, engine, rows, scan};

fn budget() -> Budget {
    Budget::new(Limits::default(), None)
}

fn decompressed(data: &[u8]) -> Option<Vec<u8>> {
    let mut account = Account::new(1 << 30);
    ovba::decompress(data, Tail::Follow, &budget(), &mut account).map(|got| got.data)
}

/// A module of a project: path of its stream, bytes before the source, the source.
struct Module {
    path: String,
    cache: Vec<u8>,
    source: Vec<u8>,
}

struct Project {
    /// The version of Office that compiled it.
    version: u16,
    names: Vec<u8>,
    modules: Vec<Module>,
}

/// The projects in a compound file, by their `dir` streams.
fn projects(file: &[u8]) -> Vec<Project> {
    let mut ole = Ole::open(file, &budget()).unwrap();
    let mut streams = BTreeMap::new();
    for position in 0..ole.entries().len() {
        if ole.entries()[position].object_type == ObjectType::Stream {
            let data = ole.stream(position).unwrap().data.into_owned();
            streams.insert(ole.path(position), data);
        }
    }
    let mut projects = Vec::new();
    for (path, data) in &streams {
        let Some(storage) = path.strip_suffix("dir") else {
            continue;
        };
        let names = streams.get(&format!("{storage}_VBA_PROJECT"));
        let (Some(names), Some(dir)) = (names, decompressed(data)) else {
            continue;
        };
        let dir: Dir = ovba::parse_dir(&dir, &budget()).unwrap();
        let page = dir.code_page.unwrap_or(1252);
        let modules = dir.modules.iter().filter_map(|module| {
            let name = module.stream_names(page).into_iter().next()?;
            let path = format!("{storage}{name}");
            let stream = streams.get(&path)?;
            let at = usize::try_from(module.offset?).ok()?;
            Some(Module {
                source: decompressed(stream.get(at..)?)?,
                cache: stream[..at].to_vec(),
                path,
            })
        });
        projects.push(Project {
            version: ovba::version(names).unwrap_or_default(),
            modules: modules.collect(),
            names: names.clone(),
        });
    }
    projects
}

/// Every compound file of a file, and those inside a presentation.
fn files() -> Vec<(String, Vec<u8>)> {
    let files = rows().into_iter().flat_map(|row| {
        let files = compound_files(&row.data).into_iter();
        files.map(move |file| (row.file.clone(), file))
    });
    files
        .filter(|(_, file)| Ole::open(file, &budget()).is_ok())
        .collect()
}

fn stomps(report: &Report) -> Vec<&str> {
    let found = report.findings.iter().filter(|one| one.id == "vba-stomped");
    found.map(|one| one.evidence.text.as_str()).collect()
}

#[test]
fn real_compiled_code_agrees_with_its_source() {
    let (mut modules, mut read, mut uses, mut agreed) = (0, 0, 0, 0);
    for (file, data) in files() {
        for project in projects(&data) {
            let budget = budget();
            let mut tables = Identifiers::read(&project.names, &budget).unwrap();
            assert_eq!(tables.len(), 1, "{file}: version {:#x}", project.version);
            let names = tables.remove(0);
            for module in &project.modules {
                modules += 1;
                let Some(pcode) = Pcode::read(&module.cache, &names, &budget).unwrap() else {
                    continue;
                };
                read += 1;
                let source = module.source.to_ascii_lowercase();
                let damaged = pcode.uses(&budget, &mut |used: Use<'_>| {
                    uses += 1;
                    let doubled = used.bytes().to_ascii_lowercase();
                    let doubled = doubled.iter().flat_map(|&byte| {
                        std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 })
                    });
                    let doubled: Vec<u8> = doubled.collect();
                    if doubled.is_empty() || source.windows(doubled.len()).any(|at| at == doubled) {
                        agreed += 1;
                    } else {
                        println!("{file} {}: {used:?}", module.path);
                    }
                });
                assert_eq!(damaged.unwrap(), 0, "{file} {}", module.path);
            }
        }
    }
    println!(
        "{modules} modules, {read} with compiled code, {agreed} of {uses} names and strings agree"
    );
    assert_eq!(read, modules);
    assert_eq!(agreed, uses);
}

#[test]
fn no_real_document_is_stomped() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    for row in rows() {
        let report = scan(&mut worker, &row.data);
        assert_eq!(stomps(&report), Vec::<&str>::new(), "{}", row.file);
        let compiled = report
            .artifacts
            .iter()
            .any(|one| one.kind == Kind::VbaPcode);
        assert!(!compiled, "{}", row.file);
    }
}

#[test]
fn another_source_in_a_real_document_is_told_whatever_office_compiled_it() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let mut versions: BTreeMap<u16, usize> = BTreeMap::new();
    for (file, data) in files() {
        for project in projects(&data) {
            let with_code = project.modules.iter().filter(|module| {
                let code = String::from_utf8_lossy(&module.source).to_lowercase();
                code.contains("sub ") || code.contains("function ")
            });
            for module in with_code {
                let blank = b"Attribute VB_Name = \"Module1\"\r\n".as_slice();
                let other = b"Attribute VB_Name = \"Module1\"\r\nSub Other()\r\nEnd Sub\r\n";
                for source in [blank, other] {
                    let opened = cfb::CompoundFile::open(Cursor::new(data.clone()));
                    // Damaged files are not for this writer.
                    let Ok(mut stomped) = opened else { continue };
                    let stream = [module.cache.clone(), ovba_container(source)].concat();
                    let path = format!("/{}", module.path);
                    let written = stomped.create_stream(&path).unwrap().write_all(&stream);
                    written.unwrap();
                    stomped.flush().unwrap();
                    let report = scan(&mut worker, &stomped.into_inner().into_inner());
                    assert_eq!(stomps(&report).len(), 1, "{file} {}", module.path);
                    let code = report
                        .artifacts
                        .iter()
                        .find(|one| one.kind == Kind::VbaPcode);
                    assert!(code.is_some(), "{file} {}", module.path);
                    if std::env::var("SHOW_PCODE").is_ok() && source == blank {
                        println!(
                            "== {file}\n{}",
                            String::from_utf8_lossy(&code.unwrap().data)
                        );
                    }
                }
                *versions.entry(project.version).or_default() += 1;
            }
        }
    }
    println!("modules by version of Office: {versions:x?}");
}
