//! Macros that somebody signed, in all three kinds of signatures: projects, what is signed of them by the letter of
//! [MS-OVBA] 2.4.2, and the signatures ([MS-OSHARED] 2.3.2) are put together here, with keys of the test.

use md5::{Digest as _, Md5};
use rsa::pkcs8::EncodePublicKey as _;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha2::Sha256;

use crate::build;
use crate::support::Folder;

const SOURCE: &str =
    "Attribute VB_Name = \"Module1\"\r\nSub AutoOpen()\r\n  total = 1\r\nEnd Sub\r\n";
const DOCUMENT: &str = "Attribute VB_Name = \"ThisDocument\"\r\nAttribute VB_Base = \"1Normal.ThisDocument\"\r\n\
    Attribute VB_GlobalNameSpace = False\r\nAttribute VB_Creatable = False\r\n";
const FORM: &str = "Attribute VB_Name = \"UserForm1\"\r\nSub UserForm_Click()\r\nEnd Sub\r\n";

/// What can be changed in a project.
#[derive(Clone)]
struct Project {
    source: &'static str,
    /// The control stream of the form.
    form: Vec<u8>,
    description: &'static str,
    /// How `dir` calls the library.
    library: &'static str,
    /// Whether the module is private.
    private: bool,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            source: SOURCE,
            form: vec![7; 1500],
            description: "accounts",
            library: "*\\G{00020430-0000-0000-C000-000000000046}#2.0#0#C:\\a.tlb#OLE Automation",
            private: false,
        }
    }
}

fn record(id: u16, data: &[u8]) -> Vec<u8> {
    let len = u32::try_from(data.len()).unwrap();
    [&id.to_le_bytes()[..], &len.to_le_bytes(), data].concat()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The bytes of a stream, filled up to blocks of 1,023.
fn blocks(stream: &[u8]) -> Vec<u8> {
    let mut out = stream.to_vec();
    out.resize(stream.len().div_ceil(1023) * 1023, 0);
    out
}

impl Project {
    fn list(&self) -> String {
        format!(
            "ID=\"{{00000000-0000-0000-0000-000000000000}}\"\r\nDocument=ThisDocument/&H00000000\r\nModule=Module1\r\n\
             Package={{AC9F2F90-E877-11CE-9F68-00AA00574A4F}}\r\nBaseClass=UserForm1\r\nName=\"Project\"\r\n\
             HelpContextID=\"0\"\r\nDescription=\"{}\"\r\nVersionCompatible32=\"393222000\"\r\nCMG=\"0705\"\r\n\r\n\
             [Host Extender Info]\r\n&H00000001={{3832D640-CF90-11CF-8E43-00A0C911005A}};VBE;&H00000000\r\n\r\n\
             [Workspace]\r\nModule1=26, 26, 1062, 609, \r\n",
            self.description
        )
    }

    /// A reference to the library: its record, whose length counts the fields behind it, and what V3 signs of it.
    fn library(&self) -> (Vec<u8>, Vec<u8>) {
        let len = u32::try_from(self.library.len()).unwrap().to_le_bytes();
        let end = [0; 6];
        let whole = [&len[..], self.library.as_bytes(), &end].concat();
        let signed = [&0x0du16.to_le_bytes()[..], &len, &utf16(self.library), &end].concat();
        (record(0x0d, &whole), signed)
    }

    /// The `dir` stream, and V3 Content Normalized Data.
    fn dir(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut dir, mut signed) = (Vec::new(), Vec::new());
        let mut both = |data: Vec<u8>, of: std::ops::Range<usize>| {
            dir.extend_from_slice(&data);
            signed.extend_from_slice(&data[of]);
        };
        let whole = |id: u16, data: &[u8]| (record(id, data), 0..data.len() + 6);
        let head = |id: u16, data: &[u8]| (record(id, data), 0..6);
        let version = [&[9, 0, 4, 0, 0, 0][..], &[1, 0, 0, 0, 3, 0]].concat();
        let (library, of_library) = self.library();
        for (data, of) in [
            head(0x01, &1u32.to_le_bytes()),
            (record(0x4a, &[3, 0, 0, 0]), 0..0),
            whole(0x02, &0x0411u32.to_le_bytes()),
            whole(0x14, &0x0411u32.to_le_bytes()),
            head(0x03, &932u16.to_le_bytes()),
            whole(0x04, b"Project"),
            head(0x05, self.description.as_bytes()),
            head(0x40, &utf16(self.description)),
            head(0x06, b""),
            head(0x3d, b""),
            head(0x07, &[0; 4]),
            whole(0x08, &[0; 4]),
            (version, 0..12),
            whole(0x0c, b"A = 1"),
            whole(0x3c, &utf16("A = 1")),
            whole(0x16, b"stdole"),
            whole(0x3e, &utf16("stdole")),
        ] {
            both(data, of);
        }
        dir.extend(library);
        signed.extend(of_library);
        for (id, data) in [(0x0fu16, [3, 0]), (0x13, [0xff, 0xff])] {
            dir.extend(record(id, &data));
            signed.extend(&record(id, &data)[..6]);
        }
        for (name, source, plain) in self.modules() {
            for (id, data) in [
                (0x19, name.as_bytes()),
                (0x47, &utf16(name)),
                (0x1a, name.as_bytes()),
                (0x32, &utf16(name)),
                (0x1c, b""),
                (0x48, b""),
                (0x31, &[0; 4]),
                (0x1e, &[0; 4]),
                (0x2c, &[0xff; 2]),
            ] {
                dir.extend(record(id, data));
            }
            dir.extend(record(if plain { 0x21 } else { 0x22 }, b""));
            if plain {
                signed.extend(record(0x21, b""));
            }
            if plain && self.private {
                dir.extend(record(0x28, b""));
                signed.extend(record(0x28, b""));
            }
            dir.extend(record(0x2b, b""));
            let lines: Vec<&str> = source.lines().collect();
            for line in &lines {
                let unsigned = line.starts_with("Attribute VB_Name = ")
                    || line.ends_with("VB_GlobalNameSpace = False")
                    || line.ends_with("VB_Creatable = False");
                if !unsigned {
                    signed.extend(line.as_bytes());
                    signed.push(b'\n');
                }
            }
            signed.extend(utf16(name));
            signed.push(b'\n');
        }
        dir.extend(record(0x10, b""));
        signed.extend(record(0x10, b""));
        (dir, signed)
    }

    /// Modules: names, sources, whether they are plain ones.
    fn modules(&self) -> [(&'static str, &'static str, bool); 3] {
        [
            ("ThisDocument", DOCUMENT, false),
            ("Module1", self.source, true),
            ("UserForm1", FORM, false),
        ]
    }

    fn file(&self) -> Vec<u8> {
        let cache = vec![0xcc, 0x61, 0xff, 0xff, 0, 0, 0];
        let mut streams = vec![
            ("PROJECT".to_owned(), self.list().into_bytes()),
            ("VBA/dir".to_owned(), build::ovba_container(&self.dir().0)),
            ("VBA/_VBA_PROJECT".to_owned(), cache),
            // Written in another order than the one of names, which counts.
            (
                "UserForm1/\u{3}VBFrame".to_owned(),
                b"VERSION 5.00\r\n".to_vec(),
            ),
            ("UserForm1/o".to_owned(), vec![1; 1023]),
            ("UserForm1/i01/f".to_owned(), vec![2; 3]),
            ("UserForm1/f".to_owned(), self.form.clone()),
        ];
        for (name, source, _) in self.modules() {
            streams.push((
                format!("VBA/{name}"),
                build::ovba_container(source.as_bytes()),
            ));
        }
        build::compound(&streams)
    }

    /// Forms Normalized Data.
    fn forms(&self) -> Vec<u8> {
        let streams = [&self.form[..], &[1; 1023], &[2; 3], b"VERSION 5.00\r\n"];
        streams.map(blocks).concat()
    }

    fn legacy(&self) -> Vec<u8> {
        let mut data = b"ProjectA = 1{".to_vec();
        for (_, source, _) in self.modules() {
            let lines = source.lines().filter(|line| !line.starts_with("Attribute"));
            data.extend(lines.flat_map(str::bytes));
        }
        data
    }

    fn v3(&self) -> Vec<u8> {
        let list = [
            &b"ModuleModule1Package{AC9F2F90-E877-11CE-9F68-00AA00574A4F}"[..],
            &self.forms(),
            b"BaseClassUserForm1NameProjectHelpContextID0Description",
            self.description.as_bytes(),
            b"VersionCompatible32393222000Host Extender Info\
              &H00000001={3832D640-CF90-11CF-8E43-00A0C911005A};VBE;&H00000000",
        ];
        [self.dir().1, list.concat()].concat()
    }
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u16::try_from(content.len()).unwrap();
    [&[tag, 0x82], &len.to_be_bytes()[..], &content].concat()
}

/// Who signs: a key with a certificate that says whose it is.
struct Signer {
    key: RsaPrivateKey,
    certificate: Vec<u8>,
}

/// The kinds of signatures, as their parts are called.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Legacy,
    Agile,
    V3,
}

impl Signer {
    fn new() -> Self {
        let mut random = rsa::rand_core::UnwrapErr(getrandom::SysRng);
        let key = RsaPrivateKey::new(&mut random, 1024).unwrap();
        let public = key.to_public_key().to_public_key_der().unwrap();
        let empty = der(0x30, &[]);
        let body = [
            &der(2, &[&[7]]),
            &empty,
            &empty,
            &empty,
            &empty,
            public.as_bytes(),
        ];
        let certificate = der(
            0x30,
            &[&der(0x30, &[&body.concat()]), &empty, &der(3, &[&[0]])],
        );
        Self { key, certificate }
    }

    fn id(&self) -> String {
        let digest = Sha256::digest(&self.certificate);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A part that signs a project.
    fn part(&self, sort: Sort, project: &Project) -> (String, Vec<u8>) {
        let hash = |data: &[u8]| Sha256::digest(data).to_vec();
        let (name, digest) = match sort {
            Sort::Legacy => ("", Md5::digest(project.legacy()).to_vec()),
            Sort::Agile => ("Agile", hash(&[project.legacy(), project.forms()].concat())),
            Sort::V3 => ("V3", hash(&project.v3())),
        };
        let name = format!("word/vbaProjectSignature{name}.bin");
        (name, self.signature(sort, &digest))
    }

    fn signature(&self, sort: Sort, digest: &[u8]) -> Vec<u8> {
        // 1.3.6.1.4.1.311.2.1.29 and .31; .4 is the content.
        let spc = |last: u8| der(6, &[&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 1, last]]);
        let sha256 = der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
        let md5 = der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5]]);
        let pkcs = |rest: &[u8]| der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1], rest]);
        let octets = |data: &[u8]| der(4, &[data]);
        let (data, algorithm, digest) = if sort == Sort::Legacy {
            (spc(29), md5, digest.to_vec())
        } else {
            let name = b"2.16.840.1.101.3.4.2.1\0";
            let numbers = [23u32, 0, 32, 24, 47, 47].map(u32::to_le_bytes).concat();
            let format = octets(&[12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            let data = [spc(31), der(0xa0, &[&format])].concat();
            (data, sha256.clone(), [&numbers, &name[..], digest].concat())
        };
        let info = der(0x30, &[&der(0x30, &[&algorithm]), &octets(&digest)]);
        let indirect = [der(0x30, &[&data]), info].concat();
        let attribute = |name: Vec<u8>, value: Vec<u8>| der(0x30, &[&name, &der(0x31, &[&value])]);
        let attributes = [
            attribute(pkcs(&[9, 3]), spc(4)),
            attribute(pkcs(&[9, 4]), octets(&Sha256::digest(&indirect))),
        ]
        .concat();
        let signed = Sha256::digest(der(0x31, &[&attributes]));
        let signature = self
            .key
            .sign(Pkcs1v15Sign::new::<Sha256>(), &signed)
            .unwrap();
        let signer = [
            der(2, &[&[1]]),
            der(0x30, &[&der(0x30, &[]), &der(2, &[&[7]])]),
            der(0x30, &[&sha256]),
            der(0xa0, &[&attributes]),
            der(0x30, &[&pkcs(&[1, 1])]),
            octets(&signature),
        ]
        .concat();
        let content = der(0xa0, &[&der(0x30, &[&indirect])]);
        let data = [
            der(2, &[&[1]]),
            der(0x31, &[]),
            der(0x30, &[&spc(4), &content]),
            der(0xa0, &[&self.certificate]),
            der(0x31, &[&der(0x30, &[&signer])]),
        ]
        .concat();
        let message = der(0x30, &[&pkcs(&[7, 2]), &der(0xa0, &[&der(0x30, &[&data])])]);
        let len = u32::try_from(message.len()).unwrap();
        let mut out = [len.to_le_bytes(), 44u32.to_le_bytes()].concat();
        out.resize(36, 0);
        out.extend(message);
        out
    }
}

/// A document with a project and parts beside it.
fn document(project: &Project, parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let plain = build::docm_of("form 12", &project.file());
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(plain)).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut data = Vec::new();
        std::io::copy(&mut member, &mut data).unwrap();
        all.push((name, data));
    }
    all.extend_from_slice(parts);
    let all = all
        .iter()
        .map(|(name, data)| (name.as_str(), data.as_slice()));
    build::zip(&all.collect::<Vec<_>>())
}

/// Whom the program names as who signed the macros of a document.
fn told(folder: &Folder, data: &[u8]) -> Option<String> {
    folder.file("a.docm", data);
    let report = folder.run(&["scan", "a.docm", "--format", "json"]).json();
    let artifacts = report["artifacts"].as_array().unwrap();
    assert!(
        artifacts.iter().any(|one| one["vba_hash"].is_string()),
        "{report}"
    );
    let mut signers = artifacts
        .iter()
        .filter_map(|one| one["vba_signer"].as_str());
    signers.next().map(str::to_owned)
}

#[test]
fn each_kind_of_signature_holds_for_its_project_and_no_other() {
    let folder = Folder::new();
    let (mine, project) = (Signer::new(), Project::default());
    let known = Some(mine.id());
    let changes = [
        (
            "code",
            Project {
                source: "Sub AutoOpen()\r\n  total = 2\r\nEnd Sub\r\n",
                ..project.clone()
            },
        ),
        (
            "form",
            Project {
                form: [vec![7; 1499], vec![8]].concat(),
                ..project.clone()
            },
        ),
        (
            "property",
            Project {
                description: "accountz",
                ..project.clone()
            },
        ),
        (
            "private",
            Project {
                private: true,
                ..project.clone()
            },
        ),
        (
            "library",
            Project {
                library: "*\\G{00020430-0000-0000-C000-000000000046}#2.0#0#D:\\a.tlb#OLE Automation",
                ..project.clone()
            },
        ),
    ];
    for (sort, covered) in [
        (Sort::Legacy, &["code"][..]),
        (Sort::Agile, &["code", "form"]),
        (
            Sort::V3,
            &["code", "form", "property", "private", "library"],
        ),
    ] {
        let part = mine.part(sort, &project);
        assert_eq!(
            told(&folder, &document(&project, std::slice::from_ref(&part))),
            known
        );
        for (what, changed) in &changes {
            let told = told(&folder, &document(changed, std::slice::from_ref(&part)));
            assert_eq!(told.is_none(), covered.contains(what), "{what} {told:?}");
        }
    }
}

#[test]
fn of_several_signatures_all_must_hold_and_be_of_one() {
    let folder = Folder::new();
    let (mine, other, project) = (Signer::new(), Signer::new(), Project::default());
    let sorts = [Sort::Legacy, Sort::Agile, Sort::V3];
    let parts: Vec<_> = sorts
        .iter()
        .map(|sort| mine.part(*sort, &project))
        .collect();
    let whole = document(&project, &parts);
    assert_eq!(told(&folder, &whole), Some(mine.id()));
    // The oldest leaves a changed property open, the newest says that it is not what was signed.
    let changed = Project {
        description: "accountz",
        ..project.clone()
    };
    assert_eq!(
        told(&folder, &document(&changed, &parts[..2])),
        Some(mine.id())
    );
    assert_eq!(told(&folder, &document(&changed, &parts)), None);
    let with = |part: (String, Vec<u8>)| document(&project, &[parts[0].clone(), part]);
    assert_eq!(told(&folder, &with(other.part(Sort::V3, &project))), None);
    let broken = (
        "word/vbaProjectSignatureV3.bin".to_owned(),
        b"nothing".to_vec(),
    );
    assert_eq!(told(&folder, &with(broken)), None);

    let allow = format!(
        "[[allow]]\nvba = \"signer:{}\"\nreason = \"accounts\"\nexpires = 2999-12-31\n",
        mine.id()
    );
    folder.file("sekisho.toml", allow);
    for (data, stays) in [(&whole, true), (&document(&changed, &parts), false)] {
        folder.file("a.docm", data);
        let run = folder.run(&["-c", "sekisho.toml", "disarm", "a.docm", "-o", "out.docm"]);
        assert_eq!(run.code, 0, "{run:?}");
        let made = std::fs::read(folder.path("out.docm")).unwrap();
        assert_eq!(made == *data, stays, "{run:?}");
        std::fs::remove_file(folder.path("out.docm")).unwrap();
    }
}
