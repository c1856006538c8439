//! A file as our own reader sees it, as objects that can be edited.

use lopdf::{Dictionary, Document, Object, Stream, StringFormat};

use super::{Refusal, STREAM};
use crate::formats::pdf::{self, References};
use crate::limits::{Account, Budget};

/// The objects that a file holds now, decrypted, those left out that only tell where others stand; none where more than
/// one reader of it is to be asked.
pub(super) fn document(
    data: &[u8],
    read: &pdf::Document<'_>,
    budget: &Budget,
    account: &mut Account,
) -> Result<Option<Document>, Refusal> {
    let references = read.references(STREAM, budget, account);
    let (Some(version), Some(references)) = (version(data), references.map_err(Refusal::Limit)?)
    else {
        return Ok(None);
    };
    let lock = references.trailer.get("Encrypt");
    // Attached files may be encrypted in another way than all other streams (7.6.6).
    if let Some(pdf::Object::Dict(lock)) = lock.map(|lock| read.resolve(lock).0)
        && lock
            .get("EFF")
            .is_some_and(|files| Some(files) != lock.get("StmF"))
    {
        return Ok(None);
    }
    let source = Source {
        read,
        references: &references,
    };
    let mut document = Document::new();
    version.clone_into(&mut document.version);
    document.trailer = source.dictionary(&references.trailer, None);
    document.trailer.remove(b"Encrypt");
    for (number, place) in &references.places {
        budget.tick().map_err(Refusal::Limit)?;
        let Some(indirect) = read.objects.get(*place) else {
            continue;
        };
        let layout = ["ObjStm", "XRef"];
        let left_out = match &indirect.object {
            pdf::Object::Dict(dict) => layout.iter().any(|name| dict.is("Type", name)),
            _ => false,
        };
        if left_out || lock == Some(&pdf::Object::Ref(*number)) {
            continue;
        }
        let object = match (&indirect.object, indirect.is_stream()) {
            (pdf::Object::Dict(dict), true) => {
                let content = Vec::from(read.decrypted(*place).unwrap_or_default());
                if lock.is_some() {
                    budget.spend(content.len()).map_err(Refusal::Limit)?;
                }
                let dict = source.dictionary(dict, Some(*place));
                Object::Stream(Stream::new(dict, content))
            }
            (object, _) => source.object(object, Some(*place)),
        };
        document
            .objects
            .insert((*number, indirect.generation), object);
    }
    Ok(Some(document))
}

/// The version that the first bytes tell (7.5.2).
fn version(data: &[u8]) -> Option<&str> {
    let line = data.strip_prefix(b"%PDF-")?.get(..3)?;
    let version = std::str::from_utf8(line).ok()?;
    let digits = |byte: &u8| byte.is_ascii_digit();
    match version.as_bytes() {
        [one, b'.', two] if digits(one) && digits(two) => Some(version),
        _ => None,
    }
}

struct Source<'s, 'd> {
    read: &'s pdf::Document<'d>,
    references: &'s References,
}

impl Source<'_, '_> {
    /// An object in the one at a place, which decides about how its strings are encrypted. Recursion ends with the depth that
    /// the reader goes to.
    fn object(&self, object: &pdf::Object, place: Option<usize>) -> Object {
        match object {
            pdf::Object::Null => Object::Null,
            pdf::Object::Bool(truth) => Object::Boolean(*truth),
            pdf::Object::Number(number) => Object::Integer(*number),
            pdf::Object::Real(_, bits) => Object::Real(f32::from_bits(*bits)),
            pdf::Object::Name(name) => Object::Name(name.text.clone()),
            pdf::Object::Text(text) => {
                let text = match place {
                    Some(place) => self.read.string(text, place),
                    None => text.clone(),
                };
                Object::String(text, StringFormat::Literal)
            }
            pdf::Object::Array(items) => {
                Object::Array(items.iter().map(|item| self.object(item, place)).collect())
            }
            pdf::Object::Dict(dict) => Object::Dictionary(self.dictionary(dict, place)),
            pdf::Object::Ref(number) => {
                let place = self.references.places.get(number);
                let target = place.and_then(|place| self.read.objects.get(*place));
                let generation = target.map_or(0, |target| target.generation);
                Object::Reference((*number, generation))
            }
        }
    }

    fn dictionary(&self, dict: &pdf::Dict, place: Option<usize>) -> Dictionary {
        let mut out = Dictionary::new();
        let is_signature = dict.get("ByteRange").is_some();
        for (name, value) in &dict.0 {
            // What a signature signs with is not encrypted (7.6.2).
            let place = place.filter(|_| !is_signature || name.text != b"Contents");
            out.set(name.text.clone(), self.object(value, place));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use lopdf::ObjectId;

    use super::*;
    use crate::bytes::length;
    use crate::limits::Limits;

    fn own(data: &[u8]) -> Option<Document> {
        let budget = Budget::new(Limits::default(), None);
        let mut read = pdf::read(data, &budget).unwrap();
        if read.scheme().is_some() && !read.unlock(b"") {
            return None;
        }
        let mut account = Account::new(length(data.len()));
        let opened = read.open_object_streams(STREAM, &budget, &mut account);
        if opened.is_err() || !read.faults.is_empty() {
            return None;
        }
        document(data, &read, &budget, &mut account).unwrap()
    }

    /// A string is the same however it is written, and the length of a stream is told by what is in it.
    fn plain(object: &mut Object) {
        match object {
            Object::String(_, format) => *format = StringFormat::Literal,
            Object::Array(items) => items.iter_mut().for_each(plain),
            Object::Dictionary(dict) => dict.iter_mut().for_each(|(_, value)| plain(value)),
            Object::Stream(stream) => {
                stream.dict.remove(b"Length");
                stream.dict.iter_mut().for_each(|(_, value)| plain(value));
                stream.start_position = None;
                let len = stream.content.trim_ascii_end().len();
                stream.content.truncate(len);
            }
            _ => {}
        }
    }

    fn compared(document: &mut Document) -> BTreeMap<ObjectId, Object> {
        let layout = ["ObjStm", "XRef"].map(str::as_bytes);
        let objects = std::mem::take(&mut document.objects);
        let objects = objects.into_iter().filter(|(_, object)| match object {
            Object::Stream(stream) => !layout.contains(&stream.dict.get_type().unwrap_or_default()),
            _ => true,
        });
        let plainly = objects.map(|(id, mut object)| {
            plain(&mut object);
            (id, object)
        });
        plainly.collect()
    }

    fn files() -> Vec<PathBuf> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut waiting = vec![home.join("testdata"), home.join("../shared/testdata/pdf")];
        waiting.retain(|folder| folder.is_dir());
        let mut found = Vec::new();
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            } else if path.extension().is_some_and(|end| end == "pdf") {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn our_own_reader_sees_what_the_crate_sees() {
        let mut alike = 0;
        for path in files() {
            let data = std::fs::read(&path).unwrap();
            // What is left to the crate is compared with nothing.
            let Some(mut own) = own(&data) else { continue };
            let Ok(mut crates) = Document::load_mem(&data) else {
                panic!("{}", path.display());
            };
            // A short key, which the crate does not know.
            if crates.is_encrypted() {
                continue;
            }
            assert_eq!(own.version, crates.version, "{}", path.display());
            let (own, crates) = (compared(&mut own), compared(&mut crates));
            let numbers =
                |objects: &BTreeMap<ObjectId, Object>| objects.keys().copied().collect::<Vec<_>>();
            assert_eq!(numbers(&own), numbers(&crates), "{}", path.display());
            for (id, object) in &own {
                assert_eq!(object, &crates[id], "{} {id:?}", path.display());
            }
            alike += 1;
        }
        assert!(alike >= 15, "only {alike}");
    }

    /// A file of these objects, numbered from 1 on, and of a table in which offsets are what they are given as.
    fn file(objects: &[&str], wrong: Option<usize>) -> Vec<u8> {
        let mut out = "%PDF-1.4\n".to_owned();
        let mut table = String::new();
        for (number, object) in (1..).zip(objects) {
            let at = out.len() + usize::from(wrong == Some(number));
            table.push_str(&format!("{at:010} 00000 n \n"));
            out.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
        }
        let (start, size) = (out.len(), objects.len() + 1);
        out.push_str(&format!(
            "xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Root 1 0 R/Size {size}>>\nstartxref\n{start}\n%%EOF\n"
        ));
        out.into_bytes()
    }

    #[test]
    fn what_is_in_doubt_is_left_to_the_crate() {
        let root = "<</Type/Catalog/Pages 2 0 R/N[1 -.5 0.25 (a\\)b) <41>]>>";
        let pages = "<</Type/Pages/Kids[]/Count 0>>";
        let whole = file(&[root, pages], None);
        let read = own(&whole).unwrap();
        assert_eq!(read.objects.len(), 2);
        let numbers = read.objects[&(1, 0)].as_dict().unwrap().get(b"N").unwrap();
        let text = |text: &[u8]| Object::String(text.to_vec(), StringFormat::Literal);
        let wanted = [
            1.into(),
            Object::Real(-0.5),
            0.25.into(),
            text(b"a)b"),
            text(b"A"),
        ];
        assert_eq!(numbers.as_array().unwrap(), &wanted);
        // A table that leads elsewhere, an object without an entry, one with odd words, brackets or no end.
        assert!(own(&file(&[root, pages], Some(2))).is_none());
        let more = [&whole[..], b"9 0 obj 1 endobj\n"].concat();
        assert!(own(&more).is_none());
        for odd in [
            "<</A foo>>",
            "<</A[1>>]",
            "<</A 1 2>>",
            "[12345678901234567890]",
            "[1 R]",
            "<</A(b>>",
            "{}",
            "",
        ] {
            assert!(own(&file(&[root, pages, odd], None)).is_none(), "{odd}");
        }
        let open = String::from_utf8(whole.clone()).unwrap();
        assert!(own(open.replace("0>>\nendobj", "0>>\nend-of").as_bytes()).is_none());
        assert!(own(&[b"junk\n", &whole[..]].concat()).is_none());
        // A newer version of an object, by a table of its own.
        let start = memchr::memmem::rfind(&whole, b"xref\n0 3").unwrap();
        let at = whole.len();
        let object = "2 0 obj\n<</Type/Pages/Kids[]/Count 0/New true>>\nendobj\n";
        let table = at + object.len();
        let newer = format!(
            "{object}xref\n2 1\n{at:010} 00000 n \ntrailer<</Root 1 0 R/Size 3/Prev {start}>>\nstartxref\n{table}\n%%EOF\n"
        );
        let updated = [&whole[..], newer.as_bytes()].concat();
        let read = own(&updated).unwrap();
        assert!(read.objects[&(2, 0)].as_dict().unwrap().has(b"New"));
        // Blanks may stand between where a table is said to be and the table.
        let blank = newer.replace(
            &format!("startxref\n{table}"),
            &format!("startxref\n{}", table - 1),
        );
        let read = own(&[&whole[..], blank.as_bytes()].concat()).unwrap();
        assert!(read.objects[&(2, 0)].as_dict().unwrap().has(b"New"));
        // A table that leads back to itself.
        let ring = newer.replace(&format!("/Prev {start}"), &format!("/Prev {table}"));
        assert!(own(&[&whole[..], ring.as_bytes()].concat()).is_none());
    }
}
