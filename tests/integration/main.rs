//! The product as its users meet it: one binary, so that it links once.
//!
//! | file | what |
//! | --- | --- |
//! | `batch_run`, `batch_sources` | batches: kills, memory, several processes; what they read |
//! | `batch_stores` | stores of Outlook in every form, against an independent reader |
//! | `batch_results`, `batch_world` | rows, campaigns, filters, new rules, united results, of half a year of mail |
//! | `batch_memory` | what a batch uses again of attachments that it saw before |
//! | `batch_duckdb`, `batch_page` | DuckDB and a browser read what a batch writes |
//! | `cli` | arguments and files → standard output, standard error, exit code |
//! | `compound` | compound files against an independent reader, macros and locks against labels |
//! | `corpus` | real files with labels, where they are there |
//! | `disarm` | what is taken out is gone, the rest stays |
//! | `disarm_flat` | documents that are one XML file |
//! | `disarm_mail` | messages of Outlook, and names that change with the content |
//! | `disarm_formats`, `office_opens` | disarmers of single formats on real files; LibreOffice opens what they make |
//! | `disarm_damaged` | damaged real documents: never a result that is worse |
//! | `disarm_cost` | disarming takes no more than three scans |
//! | `disarm_olevba` | olevba finds no macros in disarmed documents |
//! | `disarm_places` | content put back where it stood in texts, mails, workbooks and PDFs |
//! | `disarm_kinds` | archives and bodies of kinds that are seldom met |
//! | `disarm_locked` | documents under passwords that everybody's program tries |
//! | `disk_images` | images of macOS, and discs of several file systems at once |
//! | `every_container` | every container whole, cut, and as a bomb |
//! | `every_tool` | the same for what independent programs write |
//! | `findings` | every id an analyzer may find has a hit and a near miss |
//! | `gateway` | `sekisho serve`, by itself and behind a real Postfix |
//! | `golden` | whole reports, file by file |
//! | `help` | compiled help whose files are compressed |
//! | `hostile` | inputs of hostile size: linear time, bounded memory, every limit said |
//! | `mutate` | damaged files: no panic, no hang, always a report |
//! | `pcode` | compiled code of real macros against their source, and with other source put in its place |
//! | `parsers` | every fuzz target under seeded mutations |
//! | `quarantine` | held messages: commands, releases, killed writers, a full disk |
//! | `readme` | the table of formats of the README is that of the code |
//! | `rules` | every embedded rule has a hit and a near miss |
//! | `scoring` | severities, variants and combinations against a table of their own |
//! | `shape` | layers, tables, catalogue, sizes: the shape of the code |
//! | `signed_macros` | macros that somebody signed, in all kinds of signatures |
//! | `bench`, `build*`, `fixtures*`, `support` | the engine and dice, builders, what they build, running the program |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::excessive_nesting,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reports by panicking, and starts the program"
)]

mod batch_duckdb;
mod batch_memory;
mod batch_page;
mod batch_results;
mod batch_run;
mod batch_sources;
mod batch_stores;
mod batch_world;
mod bench;
mod build;
mod build_archives;
mod build_images;
mod build_links;
mod build_mailbox;
mod build_pcode;
mod build_pst;
mod build_slides;
mod build_squashfs;
mod clamav_testfiles;
mod cli;
mod compound;
mod containers;
mod corpus;
mod disarm;
mod disarm_cost;
mod disarm_damaged;
mod disarm_flat;
mod disarm_formats;
mod disarm_kinds;
mod disarm_locked;
mod disarm_mail;
mod disarm_olevba;
mod disarm_places;
mod disk_images;
mod every_container;
mod every_tool;
mod findings;
mod fixtures;
mod fixtures_programs;
mod gateway;
mod golden;
mod help;
mod hostile;
mod mutate;
mod office_opens;
mod padded;
mod parsers;
mod pcode;
mod quarantine;
mod readme;
mod rules;
mod scoring;
mod shape;
mod signed_macros;
mod support;
