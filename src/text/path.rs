//! Paths of the file system as text: they are bytes, and need not be UTF-8.

use std::path::Path;

use super::safe;

/// A path with everything escaped that could fool a terminal or a log; bytes that are no UTF-8 are shown as `\xff`,
/// so that two paths never look the same for that.
pub fn path(path: &Path) -> String {
    safe(&path_lossless(path))
}

/// [`path`] without making it safe to show.
pub fn path_lossless(path: &Path) -> String {
    let mut out = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            out.extend(std::ascii::escape_default(*byte).map(char::from));
        }
    }
    out
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn no_byte_of_a_path_is_lost_or_dangerous() {
        let shown = |bytes: &[u8]| path(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(shown("様式/a b.txt".as_bytes()), "様式/a b.txt");
        assert_eq!(shown(b"a\x1b[2J\xffb"), "a\\u{1b}[2J\\xffb");
        assert_eq!(shown("x\u{202e}gpj.exe".as_bytes()), "x\\u{202e}gpj.exe");
    }
}
