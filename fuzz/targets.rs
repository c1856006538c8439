//! What the fuzzer and the mutation test drive: one line for every parser that meets bytes of a stranger.
//!
//! Stands in one place: `tests/integration/parsers.rs` runs the table with seeded mutations on stable Rust, each file
//! of `fuzz_targets/` hands one row to libFuzzer. A target may do anything but panic, hang or grow without bound.

#[path = "sessions.rs"]
mod sessions;
#[path = "whole.rs"]
mod whole;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sekisho::analyze::{ANALYZERS, Findings, Index, Look, Sees};
use sekisho::formats::fax::{self, Coding};
use sekisho::formats::header::{Breaks, Doubtful};
use sekisho::formats::mime::{Boundaries, Closing, Delimiters, Style};
use sekisho::formats::{
    base64, brotli, command_line, drawing, encoded, header, header_words, html, indicators, ini,
    lnk, lzfse, lznt1, lzo, lzx, mashup, masked, mbox, mime, monikers, msbuild, msi, mtef,
    odf_crypt, offcrypto, office_crypt, ole, ole1, opc, ovba, page_leads, page_sends,
    password_recipes, password_words, pe, pe_version, ppt, program_traits, pst, qr, quantum,
    quoted_printable, remote_reference, script, script_encoder, uuencode, vba, word, xml, xpress,
    yenc, zip,
};
use sekisho::gateway::olefy::codec as olefy;
use sekisho::identify::identify;
use sekisho::knowledge::Knowledge;
use sekisho::limits::{Account, Budget, Limits};
use sekisho::model::{Artifact, Kind};
use sekisho::text;
use sekisho::unpack::{Nest, Seen, UNPACKERS};

/// Every target by its name.
pub(crate) const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("activemime", |data| {
        unpack("activemime", Kind::ActiveMime, data)
    }),
    ("ar", |data| unpack("ar", Kind::Ar, data)),
    ("arc", |data| unpack("arc", Kind::Arc, data)),
    ("arj", |data| unpack("arj", Kind::Arj, data)),
    ("brotli", |data| {
        let _ = brotli::is_stream(data);
        unpack("compressed", Kind::Brotli, data)
    }),
    ("bzip2", |data| unpack("compressed", Kind::Bz2, data)),
    ("cab", |data| unpack("cab", Kind::Cab, data)),
    ("quantum", |data| {
        // The first byte chooses the window.
        let window = data.first().map_or(10, |first| 10 + first % 12);
        if let Some(mut decoder) = quantum::Decoder::new(window) {
            let _ = decoder.block(data.get(1..).unwrap_or_default(), 32_768);
            let _ = decoder.block(data, 999);
        }
    }),
    ("sis", |data| unpack("sis", Kind::Sis, data)),
    ("compress", |data| unpack("compressed", Kind::Z, data)),
    ("chm", |data| unpack("chm", Kind::Chm, data)),
    ("cpio", |data| unpack("cpio", Kind::Cpio, data)),
    ("kwaj", |data| unpack("compressed", Kind::Kwaj, data)),
    ("lz4", |data| unpack("compressed", Kind::Lz4, data)),
    ("lzh", |data| unpack("lzh", Kind::Lzh, data)),
    ("dmg", |data| unpack("dmg", Kind::Dmg, data)),
    ("hfs", |data| unpack("hfs", Kind::Hfs, data)),
    ("lzfse", |data| {
        drop(lzfse::decode(data, 1 << 20));
        drop(lzfse::lzvn(data, 1 << 20))
    }),
    ("lzo", |data| drop(lzo::decoded(data, 1 << 20))),
    ("asar", |data| unpack("asar", Kind::Asar, data)),
    ("iscab", |data| unpack("iscab", Kind::IsCab, data)),
    ("lzip", |data| unpack("compressed", Kind::Lzip, data)),
    ("lzma", |data| unpack("compressed", Kind::Lzma, data)),
    ("rar", |data| unpack("rar", Kind::Rar, data)),
    ("rpm", |data| unpack("rpm", Kind::Rpm, data)),
    ("sevenz", |data| unpack("sevenz", Kind::SevenZip, data)),
    ("szdd", |data| unpack("compressed", Kind::Szdd, data)),
    ("xar", |data| unpack("xar", Kind::Xar, data)),
    ("xz", |data| unpack("compressed", Kind::Xz, data)),
    ("zstd", |data| unpack("compressed", Kind::Zst, data)),
    ("base64", |data| drop(base64::decode(data))),
    ("binhex", |data| unpack("binhex", Kind::BinHex, data)),
    ("carve", |data| unpack("carve", Kind::Data, data)),
    ("csv", |data| place("csv", Kind::Csv, data)),
    ("disk", |data| {
        [Kind::Iso, Kind::Udf, Kind::Img, Kind::Vhd]
            .iter()
            .for_each(|kind| unpack("disk", *kind, data))
    }),
    ("picture_text", |data| {
        unpack("picture_text", Kind::Png, data)
    }),
    ("virtual_disk", |data| {
        [Kind::Vmdk, Kind::Qcow, Kind::Vdi]
            .iter()
            .for_each(|kind| unpack("virtual_disk", *kind, data))
    }),
    ("doc", |data| unpack("doc", Kind::Doc, data)),
    ("ace", |data| unpack("ace", Kind::Ace, data)),
    ("alz", |data| {
        unpack("alz", Kind::Alz, data);
        unpack("alz", Kind::Egg, data)
    }),
    ("self_extractor", |data| {
        [
            Kind::Pe,
            Kind::Iso,
            Kind::Chm,
            Kind::One,
            Kind::Pst,
            Kind::Mdb,
        ]
        .iter()
        .for_each(|kind| unpack("self_extractor", *kind, data))
    }),
    ("nsis", |data| unpack("nsis", Kind::Pe, data)),
    ("decoders", |data| {
        let size = data.len().saturating_mul(4).min(0x8000);
        let _ = (
            lzx::chunk(data, size, 0x8000),
            xpress::chunk(data, size),
            lznt1::decode(data, size),
        );
        if let Some(mut decoder) = lzx::Decoder::new(0x1_0000) {
            let (first, second) = data.split_at(data.len() / 2);
            if decoder.block(first, size).is_ok() {
                let _ = decoder.block(second, size);
            }
        }
    }),
    ("ntfs", |data| unpack("ntfs", Kind::Ntfs, data)),
    ("squashfs", |data| unpack("squashfs", Kind::SquashFs, data)),
    ("wim", |data| unpack("wim", Kind::Wim, data)),
    ("volumes", whole::volumes_of_a_set),
    ("workbook", |data| {
        unpack("workbook", Kind::Xls, data);
        unpack("workbook", Kind::Sylk, data)
    }),
    ("package_parts", |data| {
        [Kind::Xlsb, Kind::Xlsx, Kind::Odt, Kind::Hwpx]
            .iter()
            .for_each(|kind| unpack_all(*kind, data))
    }),
    ("drawn_codes", |data| {
        [Kind::Svg, Kind::Html, Kind::Text]
            .iter()
            .for_each(|kind| unpack("drawn_codes", *kind, data))
    }),
    ("html_help", |data| unpack("html_help", Kind::Html, data)),
    ("form_data", |data| unpack("form_data", Kind::Xml, data)),
    ("ebcdic", |data| unpack("ebcdic", Kind::Data, data)),
    ("mashup", |data| {
        drop(mashup::texts(&String::from_utf8_lossy(data)));
        unpack("mashup", Kind::Xml, data);
        unpack("mashup", Kind::Odc, data);
    }),
    ("uuencoded", |data| unpack("uuencoded", Kind::Uue, data)),
    ("drawing", |data| {
        let text = String::from_utf8_lossy(data);
        drop(drawing::page::drawing(data).picture());
        drop(drawing::svg::drawing(&text).picture());
        for one in drawing::table::drawings(&text) {
            drop(one.picture());
        }
        for one in drawing::painted::drawings(&text) {
            drop(one.picture());
        }
        for one in drawing::characters::drawings(&text) {
            drop(one.picture());
        }
    }),
    ("encoded", encoded_text),
    ("encoded_runs", |data| unpack("encoded", Kind::Text, data)),
    ("gzip", |data| unpack("gzip", Kind::Gz, data)),
    ("header", header_blocks),
    ("header_words", words),
    ("html", |data| {
        let text = String::from_utf8_lossy(data);
        let attributes = html::tags(&text)
            .take(10_000)
            .flat_map(|tag| tag.attributes());
        let _ = attributes.count();
        drop(page_leads::leads(&text, &std::collections::BTreeSet::new()));
        let sends = page_sends::Sends::of(&text);
        let _ = (
            sends.handed(),
            sends.fetched().count(),
            sends.prompts().count(),
        );
        for reading in html::tokens::Reading::ALL {
            html::tokens::Tokens::new(data, reading).for_each(drop);
        }
        unpack("html", Kind::Html, data);
        place("html_smuggling", Kind::Html, data);
        place("leading_page", Kind::Html, data);
        place("credential_form", Kind::Html, data);
        place("svg_script", Kind::Svg, data)
    }),
    ("identify", |data| drop(identify(data, &budget()))),
    ("indicators", |data| {
        let _ = found_indicators(data);
    }),
    ("ini", |data| {
        let text = String::from_utf8_lossy(data);
        let _ = (ini::settings(&text).count(), ini::connection(&text).count());
        [Kind::Url, Kind::Theme, Kind::Rdp, Kind::Reg, Kind::Iqy]
            .iter()
            .for_each(|kind| analyze(*kind, data))
    }),
    ("lnk", |data| {
        drop(lnk::read(data));
        unpack("lnk", Kind::Lnk, data)
    }),
    ("mail", |data| unpack("mail", Kind::Eml, data)),
    ("masked", |data| {
        drop(masked::program(data));
        drop((
            program_traits::windows(data),
            program_traits::linux(data),
            program_traits::macos(data),
        ));
        place("executables", Kind::Pe, data);
        place("postscript", Kind::Ps, data);
        place("xml_commands", Kind::Xml, data)
    }),
    ("mbox", |data| {
        let _ = mbox::Messages::new(data).count();
    }),
    ("pst", |data| {
        let mut fetch = |at: u64, len: usize| {
            let at = usize::try_from(at).ok()?;
            Some(data.get(at..at.checked_add(len)?)?.to_vec())
        };
        let Ok(mut store) = pst::Store::open(&mut fetch) else {
            return;
        };
        for place in store.places().iter().take(100) {
            if let Ok(message) = store.message(place.id, 1 << 20) {
                drop(pst::letter(&message));
            }
        }
    }),
    ("mime", |data| {
        styles().for_each(|style| drop(mime::read(data, 0, style, &budget())))
    }),
    ("milter", sessions::milter),
    ("smtp", sessions::smtp),
    ("clamd", sessions::clamd),
    ("olefy", |data| {
        drop(olefy::request(&data.to_vec().into()));
    }),
    ("msbuild", |data| {
        drop(msbuild::read(data, &budget()));
        analyze(Kind::MsBuild, data)
    }),
    ("monikers", |data| drop(monikers::targets(data))),
    ("msg", |data| unpack("msg", Kind::Msg, data)),
    ("msi", |data| {
        let (pool, texts) = data.split_at(data.len() / 2);
        if let Some(strings) = msi::Strings::read(pool, texts) {
            for columns in msi::columns(texts, &strings).values() {
                drop(msi::rows(pool, columns, &strings));
            }
        }
        drop(msi::stream_name(&String::from_utf8_lossy(data)));
        unpack("msi", Kind::Msi, data)
    }),
    ("mtef", |data| {
        let _ = mtef::native(data, &budget());
        let _ = mtef::formula(data, &budget());
    }),
    ("objects", |data| unpack("objects", Kind::OleNative, data)),
    ("offcrypto", locks),
    ("office_crypt", opened),
    ("office_links", |data| {
        unpack("office_links", Kind::Xml, data)
    }),
    ("office_xml", |data| {
        unpack("office_xml", Kind::FlatOpc, data)
    }),
    ("ole", compound),
    ("ole_unpack", |data| unpack("ole", Kind::Doc, data)),
    ("onenote", |data| unpack("onenote", Kind::One, data)),
    ("opc", packages),
    ("ovba_compression", decompressed),
    ("ovba_dir", |data| drop(ovba::parse_dir(data, &budget()))),
    ("ovba_project", |data| drop(ovba::parse_project(data))),
    ("ovba_signature", |data| {
        let _ = ovba::read_signature(data);
        let _ = ovba::in_summary(data).and_then(ovba::read_signature);
        let project = ovba::Signable {
            dir: data,
            sources: &[data],
            list: Some(data),
            forms: Some(&[]),
        };
        let _ = project.contents(&budget());
    }),
    ("pcode", compiled),
    ("ole1", |data| {
        let _ = (ole1::object(data), ole1::package(data));
    }),
    ("access", |data| unpack("access", Kind::Accdb, data)),
    ("odf_crypt", |data| {
        for lock in odf_crypt::locks(&String::from_utf8_lossy(data)) {
            drop((lock.scheme(), lock.can_be_opened()));
        }
    }),
    ("hwp", |data| unpack("hwp", Kind::Hwp, data)),
    ("password_recipes", |data| {
        let told = password_recipes::Told {
            phone: true,
            date: true,
            company: true,
            postal: true,
            person: true,
            domain: true,
        };
        let around = password_recipes::Surroundings {
            sent: password_recipes::Day::of(&String::from_utf8_lossy(data)),
            names: vec!["example".to_owned()],
            ..password_recipes::Surroundings::default()
        };
        let recipes = &sekisho::knowledge::passwords().recipes;
        let spelling = password_recipes::Spelling {
            forms: &recipes.forms,
            months: &recipes.months,
            asked: &recipes.asked,
            company: &recipes.company,
            company_marks: &recipes.company_marks,
            company_endings: &recipes.company_endings,
            phone: &recipes.phone,
            date: &recipes.date,
            day_before: &recipes.day_before,
            day_after: &recipes.day_after,
        };
        drop(password_recipes::words(
            &String::from_utf8_lossy(data),
            told,
            &around,
            &spelling,
        ));
    }),
    ("password_words", |data| {
        let text = String::from_utf8_lossy(data);
        let lists = sekisho::knowledge::passwords();
        for text in [
            password_words::plain(&text),
            password_words::alternatives(&text),
        ] {
            drop(password_words::words(&text, &lists.phrases, &lists.leading));
        }
    }),
    ("pdf", |data| {
        unpack("pdf", Kind::Pdf, data);
        whole::pdf_references(data);
    }),
    ("pe", |data| drop(pe::read(data))),
    ("pe_version", |data| drop(pe_version::read(data))),
    ("picture", |data| {
        [
            Kind::Png,
            Kind::Jpg,
            Kind::Gif,
            Kind::Bmp,
            Kind::Webp,
            Kind::Tif,
        ]
        .iter()
        .for_each(|kind| unpack("picture", *kind, data));
        for coding in [
            Coding::Runs,
            Coding::Group3,
            Coding::Group3Mixed,
            Coding::Group4,
        ] {
            drop(fax::decode(data, 200, 200, coding));
        }
        // The bytes as pixels: codes are found in anything.
        if let Some(gray) = qr::Gray::new(64, data.len() / 64, data.to_vec()) {
            drop(qr::read(&gray, &budget()));
        }
    }),
    ("ppt", |data| drop(ppt::storages(data, &budget()))),
    ("quoted_printable", |data| {
        drop(quoted_printable::decode(data))
    }),
    ("remote_reference", |data| {
        drop(remote_reference::find(&String::from_utf8_lossy(data)))
    }),
    ("rtf", |data| unpack("rtf", Kind::Rtf, data)),
    ("rtf_compressed", |data| {
        drop(sekisho::formats::rtf_compressed::decompress(data))
    }),
    ("scan", whole::scan),
    ("disarm", whole::disarm),
    ("disarmers", whole::disarmers),
    ("report", whole::report),
    ("sources", whole::sources),
    ("script_decode", decoded_scripts),
    ("script_encoder", |data| {
        drop(script_encoder::blocks(data));
        unpack("script_encoder", Kind::Vbe, data)
    }),
    ("scripts", |data| {
        [Kind::Bat, Kind::Js, Kind::Ps1]
            .iter()
            .for_each(|kind| analyze(*kind, data))
    }),
    ("smime", |data| unpack("smime", Kind::P7m, data)),
    ("tar", |data| unpack("tar", Kind::Tar, data)),
    ("text", texts),
    ("tnef", |data| unpack("tnef", Kind::Tnef, data)),
    ("uuencode", |data| {
        follow(data, |at| {
            uuencode::next(data, at).map(|block| block.range.end)
        })
    }),
    ("vba", |data| {
        vba::fold(&vba::Module::read(data), &|_| 1, &mut |_| {});
        drop(vba::normalised(data));
    }),
    ("vba_analyzers", |data| analyze(Kind::VbaSource, data)),
    ("vba_project_cache", |data| {
        for names in ovba::Identifiers::read(data, &budget()).unwrap_or_default() {
            let known = |number: &u16| names.name(*number).is_some();
            let _ = (0..0x400).filter(known).count();
        }
    }),
    ("vba_unpack", |data| unpack("vba", Kind::VbaProject, data)),
    ("word", |data| {
        let (document, table) = data.split_at(data.len() / 2);
        let _ = word::outside(document, table, &budget());
        let _ = word::outside(data, data, &budget());
    }),
    ("xml", |data| {
        let _ = xml::elements(&String::from_utf8_lossy(data)).count();
        [
            Kind::LibraryMs,
            Kind::SettingContentMs,
            Kind::Msc,
            Kind::Odc,
            Kind::ClickOnce,
        ]
        .iter()
        .for_each(|kind| analyze(*kind, data))
    }),
    ("yenc", |data| {
        follow(data, |at| yenc::next(data, at).map(|block| block.range.end))
    }),
    ("zip", members),
    ("zip_unpack", |data| unpack("zip", Kind::Zip, data)),
];

/// Runs one target by its name; unknown names panic, so that a misspelt file of `fuzz_targets/` fails at once.
#[allow(
    dead_code,
    reason = "the fuzzer's entry; the mutation test goes over the table"
)]
pub(crate) fn run(name: &str, data: &[u8]) {
    let row = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = row.unwrap_or_else(|| panic!("no target {name}"));
    target(data);
}

fn decoded_scripts(data: &[u8]) {
    let source = text::to_utf8(data);
    for language in [
        script::Language::Js,
        script::Language::PowerShell,
        script::Language::Other,
    ] {
        drop(script::fold(&source, language));
    }
    drop(script::batch::expand(&source));
    drop(script::encoded_commands(&source));
    drop(script::code_texts(&source));
    drop(script::masked_texts(&source));
    drop(script::based_texts(&source));
    drop(command_line::commands(&source));
    for kind in [Kind::Js, Kind::Ps1, Kind::Bat, Kind::Vbs, Kind::MsBuild] {
        unpack("script", kind, data);
    }
}

fn limits() -> Limits {
    Limits {
        timeout: Duration::from_secs(10),
        max_depth: 6,
        max_artifacts: 500,
        max_unpacked: 32 << 20,
        ..Limits::default()
    }
}

fn budget() -> Budget {
    Budget::new(
        limits(),
        Instant::now().checked_add(Duration::from_secs(10)),
    )
}

fn knowledge() -> &'static Knowledge {
    static KNOWLEDGE: OnceLock<Knowledge> = OnceLock::new();
    KNOWLEDGE.get_or_init(|| Knowledge::embedded().unwrap())
}

fn artifact(kind: Kind, data: &[u8]) -> Artifact {
    Artifact::alone(kind, data.to_vec().into())
}

/// One unpacker over bytes that are taken for `kind`, whatever they are.
fn unpack(name: &str, kind: Kind, data: &[u8]) {
    let artifact = artifact(kind, data);
    let (budget, mut seen) = (budget(), Seen::new());
    for row in UNPACKERS
        .iter()
        .filter(|row| row.name == name && row.kinds.contains(&kind))
    {
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        drop((row.run)(&artifact, &mut nest));
    }
}

/// Every analyzer of contents over bytes that are taken for `kind`.
fn analyze(kind: Kind, data: &[u8]) {
    let tree = [artifact(kind, data)];
    let mut findings = Findings::new(&knowledge().catalogue);
    let look = Look {
        tree: &tree,
        artifact: &tree[0],
        index: &Index::new(&tree),
        knowledge: knowledge(),
    };
    let fitting = ANALYZERS.iter().filter(|row| row.sees == Sees::Content);
    for row in fitting.filter(|row| row.kinds.is_empty() || row.kinds.contains(&kind)) {
        (row.run)(&look, &mut findings);
    }
}

/// Every unpacker of a kind, one after the other, on the same artifact: some go on with what another one made.
fn unpack_all(kind: Kind, data: &[u8]) {
    let artifact = artifact(kind, data);
    let (budget, mut seen) = (budget(), Seen::new());
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    for row in UNPACKERS.iter().filter(|row| row.kinds.contains(&kind)) {
        drop((row.run)(&artifact, &mut nest));
    }
}

/// One analyzer of places over bytes that are taken for `kind`.
fn place(name: &str, kind: Kind, data: &[u8]) {
    let tree = [artifact(kind, data)];
    let mut findings = Findings::new(&knowledge().catalogue);
    let look = Look {
        tree: &tree,
        artifact: &tree[0],
        index: &Index::new(&tree),
        knowledge: knowledge(),
    };
    for row in ANALYZERS.iter().filter(|row| row.name == name) {
        (row.run)(&look, &mut findings);
    }
}

fn header_blocks(data: &[u8]) {
    for breaks in [Breaks::Lf, Breaks::Cr] {
        for doubtful in [Doubtful::ByContext, Doubtful::Contrary] {
            let header = header::read(data, 0, data.len(), breaks, doubtful);
            for field in &header.fields {
                drop(header::unfold(&data[field.value.clone()]));
            }
        }
    }
}

fn words(data: &[u8]) {
    drop((header_words::readings(data), header_words::likeliest(data)));
    let parameters = header_words::parameters(data);
    for name in ["name", "filename", "boundary"] {
        drop((parameters.values(name), parameters.tokens(name)));
    }
}

/// Each choice of a style by itself, and all of them together.
fn styles() -> impl Iterator<Item = Style> {
    let plain = Style::default();
    let wild = Style {
        pick: 1,
        delimiters: Delimiters::Anywhere,
        closing: Closing::Delimits,
        boundaries: Boundaries::Guessed,
        doubtful: Doubtful::Contrary,
        breaks: Breaks::Cr,
    };
    [
        plain,
        wild,
        Style { pick: 1, ..plain },
        Style {
            delimiters: Delimiters::Prefixes,
            ..plain
        },
        Style {
            delimiters: Delimiters::Anywhere,
            ..plain
        },
        Style {
            closing: Closing::Delimits,
            ..plain
        },
        Style {
            boundaries: Boundaries::Guessed,
            ..plain
        },
        Style {
            doubtful: Doubtful::Contrary,
            ..plain
        },
        Style {
            breaks: Breaks::Cr,
            ..plain
        },
    ]
    .into_iter()
}

fn encoded_text(data: &[u8]) {
    let text = text::to_utf8(data);
    drop((encoded::whole(&text), encoded::within(&text)));
    let _ = encoded::looks_encoded(&text);
}

fn found_indicators(data: &[u8]) -> usize {
    let known = &knowledge().indicators;
    let lists = indicators::Lists {
        namespaces: &known.namespaces,
        executable_extensions: &known.executable_extensions,
        commands: &known.commands,
    };
    let text = text::to_utf8(data);
    let found = indicators::find(&text, lists);
    // A span that does not lie on characters of the text would panic here.
    found.iter().map(|one| text[one.span.clone()].len()).sum()
}

fn texts(data: &[u8]) {
    let text = text::to_utf8(data);
    drop((
        text::safe(&text),
        text::excerpt(&text),
        text::name_readings(data),
    ));
    let label = data.get(..8).unwrap_or(data);
    drop(text::decode(label, data));
    drop(text::decode(b"utf-7", data));
}

fn locks(data: &[u8]) {
    drop(offcrypto::encryption_info(data));
    drop(offcrypto::workbook(data, &budget()));
    drop(offcrypto::word(data, |_| data));
    drop(offcrypto::presentation(data, data));
}

/// Locked streams with a password that hardly ever is the right one.
fn opened(data: &[u8]) {
    let (first, second) = data.split_at(data.len() / 3);
    drop(office_crypt::package(first, second, "a"));
    drop(office_crypt::package(second, first, "a"));
    drop(office_crypt::workbook(data, "VelvetSweatshop"));
    drop(office_crypt::word(data, first, second, "a"));
    drop(office_crypt::word(first, second, data, "a"));
    drop(office_crypt::presentation(first, second, "a"));
}

fn compound(data: &[u8]) {
    let Ok(mut ole) = ole::Ole::open(data, &budget()) else {
        return;
    };
    for at in 0..ole.entries().len() {
        drop(ole.path(at));
        if let Ok(stream) = ole.stream(at) {
            for range in &stream.ranges {
                assert!(
                    data.get(range.clone()).is_some(),
                    "a range outside the file"
                );
            }
        }
    }
}

fn packages(data: &[u8]) {
    drop(opc::ContentTypes::read(data, &budget()));
    if let Ok(relationships) = opc::Relationships::read(data, &budget()) {
        for one in &relationships.list {
            drop(opc::resolve("/word/document.xml", &one.target));
        }
    }
}

fn decompressed(data: &[u8]) {
    let mut account = Account::new(u64::try_from(data.len()).unwrap());
    for tail in [ovba::Tail::Follow, ovba::Tail::Stop] {
        drop(ovba::decompress(data, tail, &budget(), &mut account));
    }
    let _ = ovba::find_containers(data).count();
}

/// A `_VBA_PROJECT` with two names, of 32-bit or 64-bit Office.
fn cache(wide: bool) -> Vec<u8> {
    let mut out = vec![0xcc, 0x61, 0xb2, 0, 0, if wide { 3 } else { 1 }, 0];
    out.resize(0x40, 0);
    let reserved = if wide { 0x106u16 } else { 0x103 };
    for count in [reserved + 2, 2, reserved, 0, 0] {
        out.extend(count.to_le_bytes());
    }
    out.extend(b"\x01\x04aHH\x10\0\x05\x04ShellHH\x10\0\x02\xff\xff\x01\x01");
    out
}

fn compiled(data: &[u8]) {
    for cache in [cache(false), cache(true)] {
        let budget = budget();
        let names = ovba::Identifiers::read(&cache, &budget).unwrap().remove(0);
        let Ok(Some(pcode)) = ovba::Pcode::read(data, &names, &budget) else {
            continue;
        };
        let damaged = pcode.uses(&budget, &mut |used| {
            assert!(used.bytes().len() <= data.len())
        });
        assert!(damaged.unwrap_or(0) <= pcode.len());
        drop(pcode.text(b"Module1", &budget));
    }
}

fn members(data: &[u8]) {
    let _ = zip::ends_as_zip(data);
    let _ = zip::appended(data, &budget());
    let Ok(Some(archive)) = zip::walk(data, &budget()) else {
        return;
    };
    for member in &archive.members {
        drop((member.name_readings(), member.is_folder()));
        for reading in member.readings(data) {
            assert!(data.get(reading.data).is_some(), "data outside the file");
        }
    }
}

/// Goes from block to block; each must end behind where it was looked for.
fn follow(data: &[u8], next: impl Fn(usize) -> Option<usize>) {
    let mut at = 0;
    while let Some(end) = next(at) {
        assert!(end > at && end <= data.len(), "from {at} to {end}");
        at = end;
    }
}
