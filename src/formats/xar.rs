//! xar archives: the table of contents, which is XML.

use md5::Md5;
use quick_xml::events::Event;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::xml;

/// One file of the heap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File {
    /// Its name with its folders.
    pub name: String,
    /// Its first byte in the heap.
    pub offset: u64,
    /// Its bytes in the heap.
    pub length: u64,
    /// Its bytes once decoded.
    pub size: u64,
    /// Media type of how it is encoded.
    pub encoding: String,
    /// The checksum of its bytes once decoded, in hexadecimal digits, and what sort it is.
    pub checksum: Option<(String, String)>,
}

/// Whether a checksum of that sort is that of the data; nobody knows of sorts that are not known.
pub fn holds(sort: &str, digits: &str, data: &[u8]) -> bool {
    let sum = match sort.to_ascii_lowercase().as_str() {
        "md5" => Md5::digest(data).to_vec(),
        "sha1" => Sha1::digest(data).to_vec(),
        "sha256" => Sha256::digest(data).to_vec(),
        "sha512" => Sha512::digest(data).to_vec(),
        _ => return true,
    };
    let found = sum.iter().map(|byte| format!("{byte:02x}"));
    found.collect::<String>() == digits.to_ascii_lowercase()
}

/// Folders within folders.
const DEEPEST: usize = 64;

/// Files that have data, in the order of the table. Never fails: what cannot be read is left out.
pub fn files(toc: &str) -> Vec<File> {
    let mut reader = xml::reader(toc);
    let mut files = Vec::new();
    // One entry a folder or file that is open: its name, and its data where it has any.
    let mut open: Vec<File> = Vec::new();
    let mut in_data = 0usize;
    let mut field = String::new();
    let mut sort = String::new();
    let mut text = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                text.clear();
                field = tag.local_name().as_ref().to_owned();
                match field.as_str() {
                    "file" if open.len() < DEEPEST => open.push(File::default()),
                    "data" => in_data = open.len(),
                    "extracted-checksum" => {
                        sort = xml::attribute(&tag, "style").unwrap_or_default();
                    }
                    _ => {}
                }
            }
            Ok(Event::Empty(tag)) if tag.local_name().as_ref() == "encoding" => {
                if let Some(last) = open.last_mut().filter(|_| in_data > 0) {
                    last.encoding = xml::attribute(&tag, "style").unwrap_or_default();
                }
            }
            Ok(Event::Text(part)) => text.push_str(&part),
            Ok(Event::GeneralRef(name)) => text.extend(xml::entity(&name)),
            Ok(Event::End(tag)) => {
                let tag = tag.local_name();
                let name = tag.as_ref();
                if name == "data" {
                    in_data = 0;
                } else if name == "file" {
                    close(&mut open, &mut files);
                } else if name == field
                    && let Some(last) = open.last_mut()
                {
                    let text = text.trim();
                    set(last, name, text, in_data > 0);
                    if name == "extracted-checksum" && in_data > 0 {
                        last.checksum = Some((std::mem::take(&mut sort), text.to_owned()));
                    }
                }
                text.clear();
            }
            Ok(Event::Eof) | Err(_) => return files,
            Ok(_) => {}
        }
    }
}

fn set(file: &mut File, field: &str, text: &str, in_data: bool) {
    let number = || text.parse().unwrap_or_default();
    match field {
        "name" if !in_data => file.name = text.to_owned(),
        "offset" if in_data => file.offset = number(),
        "length" if in_data => file.length = number(),
        "size" if in_data => file.size = number(),
        _ => {}
    }
}

fn close(open: &mut Vec<File>, files: &mut Vec<File>) {
    let Some(mut file) = open.pop() else {
        return;
    };
    if file.length == 0 {
        return;
    }
    let folders = open.iter().map(|folder| folder.name.as_str());
    let parts: Vec<&str> = folders.chain([file.name.as_str()]).collect();
    file.name = parts.join("/");
    files.push(file);
}
