//! Formulas of Equation Editor 3 and MathType (MTEF 2, 3 and 5), walked as far as its overflows reach.
//!
//! Equation Editor copies some lengths into buffers on its stack without a look at them: the name of a FONT record
//! (CVE-2017-11882, CVE-2018-0802) and the partition lines of a MATRIX record (CVE-2018-0798). Which records exist and
//! how long each is follows the format's description by its maker ("MathType MTEF v.3").

use crate::bytes::{Reader, Short};
use crate::limits::{Budget, Halt};

/// Class ids of Equation Editor 3 and 2, in the byte order of a file.
const CLASSES: &[[u8; 16]] = &[
    [2, 0xce, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46],
    [0, 0x17, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46],
];

/// Whether a class id is the Equation Editor's.
pub fn is_editor(class: &[u8; 16]) -> bool {
    CLASSES.contains(class)
}

/// Size of EQNOLEFILEHDR in front of the formula in a stream `Equation Native`.
const HEADER: usize = 28;

/// Longest name that a font of Windows has (LF_FACESIZE with its zero).
const LONGEST_FONT: usize = 32;

/// Rows and columns that the editor itself makes at most.
const LARGEST_MATRIX: u8 = 31;

/// What a formula is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// Read to its end.
    WellFormed {
        /// Version of the format.
        version: u8,
        /// Records in it.
        records: usize,
    },
    /// A record that overruns the buffer it is copied to.
    Overflow {
        /// Offset in the bytes given.
        at: usize,
        /// Which record, and how long.
        what: String,
    },
    /// Not what an equation editor writes.
    Invalid {
        /// Offset in the bytes given.
        at: usize,
        /// What was expected and what was found.
        what: String,
    },
}

/// Reads a stream `Equation Native`, or the native data of an object of class `Equation.3`.
pub fn native(data: &[u8], budget: &Budget) -> Result<Formula, Halt> {
    let size = crate::bytes::u16_at(data, 0).map_or(0, usize::from);
    // Version, platform and product: the editor of Office 95 wrote no header in front.
    if matches!(data, [1..=2, 0..=1, 0..=1, ..]) {
        return formula(data, budget);
    }
    if size != HEADER {
        return Ok(Formula::Invalid {
            at: 0,
            what: format!("EQNOLEFILEHDR: expected a size of {HEADER}, found {size}"),
        });
    }
    let body = data.get(HEADER..).unwrap_or_default();
    Ok(match formula(body, budget)? {
        Formula::Overflow { at, what } => Formula::Overflow {
            at: at.saturating_add(HEADER),
            what,
        },
        Formula::Invalid { at, what } => Formula::Invalid {
            at: at.saturating_add(HEADER),
            what,
        },
        well_formed => well_formed,
    })
}

/// Reads a formula without a header in front.
pub fn formula(data: &[u8], budget: &Budget) -> Result<Formula, Halt> {
    let mut walk = Walk {
        reader: Reader::new(data),
        version: data.first().copied().unwrap_or(0),
        records: 0,
        depth: 0,
    };
    if !matches!(walk.version, 1..=5) {
        return Ok(Formula::Invalid {
            at: 0,
            what: format!("MTEF version: expected 2, 3 or 5, found {}", walk.version),
        });
    }
    // Its records are of another form, and the editor with the overflows does not read them.
    if walk.version >= 4 {
        return Ok(Formula::WellFormed {
            version: walk.version,
            records: 0,
        });
    }
    // Version, platform, product, its version and subversion; the first version has none of the latter.
    let header = if walk.version == 1 { 1 } else { 5 };
    if let Err(short) = walk.reader.skip("MTEF header", header) {
        return Ok(invalid(short.offset, short.to_string()));
    }
    while !walk.reader.is_empty() {
        budget.tick()?;
        match walk.record() {
            Ok(Step::On) => {}
            Ok(Step::End) => break,
            Ok(Step::Found(found)) => return Ok(found),
            Err(short) => return Ok(invalid(short.offset, short.to_string())),
        }
    }
    Ok(Formula::WellFormed {
        version: walk.version,
        records: walk.records,
    })
}

fn invalid(at: usize, what: String) -> Formula {
    Formula::Invalid { at, what }
}

enum Step {
    On,
    End,
    Found(Formula),
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: u8,
    records: usize,
    /// Lists of records that are open.
    depth: u32,
}

/// Options in the upper half of a tag.
mod option {
    pub(super) const NUDGED: u8 = 0x8;
    pub(super) const EMBELLISHED: u8 = 0x2;
    pub(super) const SPACED: u8 = 0x4;
    pub(super) const NULL: u8 = 0x1;
    pub(super) const RULED: u8 = 0x2;
}

impl Walk<'_> {
    fn record(&mut self) -> Result<Step, Short> {
        let at = self.reader.offset();
        let tag = self.reader.u8("record")?;
        let options = tag >> 4;
        self.records = self.records.saturating_add(1);
        match tag & 15 {
            // END.
            0 => {
                let Some(depth) = self.depth.checked_sub(1) else {
                    return Ok(Step::End);
                };
                self.depth = depth;
            }
            // LINE.
            1 => {
                self.nudge(options)?;
                if options & option::SPACED != 0 {
                    self.reader.skip("line spacing", 1)?;
                }
                if options & option::RULED != 0 {
                    self.ruler()?;
                }
                if options & option::NULL == 0 {
                    self.open();
                }
            }
            // CHAR.
            2 => {
                self.nudge(options)?;
                self.reader.skip("typeface", 1)?;
                self.reader
                    .skip("character", if self.version >= 3 { 2 } else { 1 })?;
                if options & option::EMBELLISHED != 0 {
                    self.open();
                }
            }
            // TMPL.
            3 => {
                self.nudge(options)?;
                self.reader.skip("selector, variation and options", 3)?;
                self.open();
            }
            // PILE.
            4 => {
                self.nudge(options)?;
                self.reader.skip("alignment", 2)?;
                if options & option::RULED != 0 {
                    self.ruler()?;
                }
                self.open();
            }
            5 => return self.matrix(at, options),
            // EMBELL.
            6 => {
                self.nudge(options)?;
                self.reader.skip("embellishment", 1)?;
            }
            // RULER.
            7 => self.ruler()?,
            8 => return self.font(at),
            // SIZE.
            9 => {
                let kind = self.reader.u8("size")?;
                let len = match kind {
                    101 => 2,
                    100 => 3,
                    _ => 1,
                };
                self.reader.skip("size", len)?;
            }
            // FULL, SUB, SUB2, SYM, SUBSYM.
            10..=14 => {}
            other => {
                return Ok(Step::Found(invalid(
                    at,
                    format!("record type: expected 0 to 14, found {other}"),
                )));
            }
        }
        Ok(Step::On)
    }

    fn open(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    fn nudge(&mut self, options: u8) -> Result<(), Short> {
        if options & option::NUDGED == 0 {
            return Ok(());
        }
        let (x, y) = (self.reader.u8("nudge")?, self.reader.u8("nudge")?);
        // Large distances follow in two words.
        if (x, y) == (128, 128) {
            self.reader.skip("nudge", 4)?;
        }
        Ok(())
    }

    fn ruler(&mut self) -> Result<(), Short> {
        let stops = usize::from(self.reader.u8("tab stops")?);
        self.reader.skip("tab stops", stops.saturating_mul(3))
    }

    fn matrix(&mut self, at: usize, options: u8) -> Result<Step, Short> {
        self.nudge(options)?;
        self.reader.skip("alignment", 3)?;
        let (rows, columns) = (self.reader.u8("rows")?, self.reader.u8("columns")?);
        if rows > LARGEST_MATRIX || columns > LARGEST_MATRIX {
            let what = format!(
                "MATRIX record of {rows} rows and {columns} columns, where the editor has room for {LARGEST_MATRIX}"
            );
            return Ok(Step::Found(Formula::Overflow { at, what }));
        }
        // Two bits for each line between and around.
        let lines = |count: u8| {
            usize::from(count)
                .saturating_add(1)
                .saturating_mul(2)
                .div_ceil(8)
        };
        self.reader.skip(
            "partition lines",
            lines(rows).saturating_add(lines(columns)),
        )?;
        self.open();
        Ok(Step::On)
    }

    fn font(&mut self, at: usize) -> Result<Step, Short> {
        self.reader.skip("typeface and style", 2)?;
        let rest = self.reader.peek();
        let len = memchr::memchr(0, rest).unwrap_or(rest.len());
        if len >= LONGEST_FONT {
            let what = format!(
                "FONT record with a name of {len} bytes, where the editor has room for {LONGEST_FONT}"
            );
            return Ok(Step::Found(Formula::Overflow { at, what }));
        }
        self.reader.skip("font name", len.saturating_add(1))?;
        Ok(Step::On)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn read(records: &[u8]) -> Formula {
        let mut data = vec![0x1c, 0, 0, 0, 2, 0];
        data.resize(28, 0);
        data.extend([3, 1, 1, 3, 0]);
        data.extend(records);
        native(&data, &Budget::new(Limits::default(), None)).unwrap()
    }

    /// `x + 1` as the editor writes it: full size, a line, three characters, its end.
    const SUM: &[u8] = &[
        10, 1, 2, 0x83, b'x', 0, 2, 0x86, b'+', 0, 2, 0x88, b'1', 0, 0, 0,
    ];

    #[test]
    fn a_formula_of_the_second_version_has_no_header() {
        let head = [2, 0, 1, 1, 0];
        let formula = |records: &[u8]| {
            let data = [&head[..], records].concat();
            native(&data, &Budget::new(Limits::default(), None)).unwrap()
        };
        let sum = [
            10, 1, 0x12, 0x83, b'F', 2, 0x86, b'=', 0x12, 0x83, b'q', 0, 0,
        ];
        assert!(matches!(
            formula(&sum),
            Formula::WellFormed { version: 2, .. }
        ));
        let font = [&[8, 0x80, 1][..], &[b'A'; 60], &[0]].concat();
        assert!(matches!(formula(&font), Formula::Overflow { .. }));
    }

    #[test]
    fn an_ordinary_formula_is_well_formed() {
        assert_eq!(
            read(SUM),
            Formula::WellFormed {
                version: 3,
                records: 7
            }
        );
        let font = [&[8, 0x80, 1][..], b"Times New Roman\0", SUM].concat();
        assert!(matches!(read(&font), Formula::WellFormed { .. }));
        let matrix = [
            &[1, 5, 1, 1, 1, 2, 2, 0, 0][..],
            &[1, 2, 0x88, b'1', 0, 0],
            &[0, 0, 0],
        ]
        .concat();
        assert!(
            matches!(read(&matrix), Formula::WellFormed { .. }),
            "{:?}",
            read(&matrix)
        );
    }

    #[test]
    fn records_that_overrun_their_buffers_are_told() {
        let font = [&[8, 90, 90][..], &[b'A'; 48], b"\0", SUM].concat();
        assert!(
            matches!(read(&font), Formula::Overflow { at: 33, .. }),
            "{:?}",
            read(&font)
        );
        let matrix = [&[5, 1, 1, 1, 200, 1][..], &[0; 90]].concat();
        assert!(matches!(read(&matrix), Formula::Overflow { .. }));
    }

    #[test]
    fn what_no_editor_writes_is_invalid() {
        let budget = Budget::new(Limits::default(), None);
        assert!(matches!(
            native(b"", &budget),
            Ok(Formula::Invalid { at: 0, .. })
        ));
        assert!(matches!(
            native(&[0x1c; 40], &budget),
            Ok(Formula::Invalid { at: 0, .. })
        ));
        assert!(matches!(
            formula(&[9, 0, 0], &budget),
            Ok(Formula::Invalid { .. })
        ));
        assert!(matches!(read(&[15]), Formula::Invalid { .. }));
        assert!(matches!(read(&[2, 1]), Formula::Invalid { .. }));
    }
}
