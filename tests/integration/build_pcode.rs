//! A builder of compiled VBA: the table of names in `_VBA_PROJECT` and the caches of modules, laid out as Office 2016
//! lays them out. What no reader of code looks at is zero.

use crate::build::{compound, dir_stream, ovba_container};

/// Which Office compiled it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bits {
    Bits32,
    Bits64,
}

/// The names of a project, and who compiled it.
pub(crate) struct Compiler {
    bits: Bits,
    names: Vec<String>,
}

/// The compiled code of a module to be.
pub(crate) struct Code<'c> {
    compiler: &'c mut Compiler,
    code: Vec<u8>,
    lines: Vec<(usize, usize)>,
    records: Vec<u8>,
}

/// An instruction of a line.
pub(crate) enum Op<'o> {
    /// `Sub name()`.
    Sub(&'o str),
    EndSub,
    /// A string.
    Text(&'o str),
    /// A whole number.
    Number(u16),
    /// A name as an expression.
    Load(&'o str),
    /// A function of so many arguments.
    Function(&'o str, u16),
    /// A statement that calls with so many arguments.
    Call(&'o str, u16),
    /// The same on the object before it.
    CallMember(&'o str, u16),
    /// Two strings put together.
    Concat,
}

impl Compiler {
    pub(crate) fn new(bits: Bits) -> Self {
        let names = ["Word", "VBA", "Win16", "Win32", "Mac", "VBA6", "Project"];
        Self {
            bits,
            names: names.map(str::to_owned).to_vec(),
        }
    }

    /// The operand that means a name.
    fn name(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|one| one == name);
        let position = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        (self.reserved() + 1 + u16::try_from(position).unwrap()) << 1
    }

    /// Names that need no entry.
    fn reserved(&self) -> u16 {
        match self.bits {
            Bits::Bits32 => 0x103,
            Bits::Bits64 => 0x106,
        }
    }

    pub(crate) fn module(&mut self) -> Code<'_> {
        Code {
            compiler: self,
            code: Vec::new(),
            lines: Vec::new(),
            records: Vec::new(),
        }
    }

    /// The stream `_VBA_PROJECT`.
    pub(crate) fn project(&self) -> Vec<u8> {
        let (version, system) = match self.bits {
            Bits::Bits32 => (0xb2u16, 1u16),
            Bits::Bits64 => (0xd7, 3),
        };
        let mut out = vec![0xcc, 0x61];
        out.extend(version.to_le_bytes());
        out.push(0);
        out.extend(system.to_le_bytes());
        out.resize(0x80, 0);
        let names = u16::try_from(self.names.len()).unwrap();
        for count in [self.reserved() + names, names, self.reserved(), 0, 0] {
            out.extend(count.to_le_bytes());
        }
        for name in &self.names {
            out.extend([u8::try_from(name.len()).unwrap(), 4]);
            out.extend(name.as_bytes());
            out.extend([0x77, 0x77, 0x10, 0]);
        }
        out.extend([0x02, 0xff, 0xff, 0x01, 0x01]);
        out.resize(out.len() + 40, 0xff);
        out
    }
}

impl Code<'_> {
    fn word(&mut self, word: u16) {
        self.code.extend(word.to_le_bytes());
    }

    fn named(&mut self, opcode: u16, name: &str) {
        let name = self.compiler.name(name);
        self.word(opcode);
        self.word(name);
    }

    fn instruction(&mut self, op: &Op<'_>) {
        // 32-bit Office leaves some instructions out.
        let text = match self.compiler.bits {
            Bits::Bits32 => 182,
            Bits::Bits64 => 185,
        };
        match op {
            Op::Sub(name) => {
                let at = u32::try_from(self.records.len()).unwrap();
                let name = self.compiler.name(name);
                self.records.extend(0x120bu16.to_le_bytes());
                self.records.extend(name.to_le_bytes());
                self.records.extend([0xff; 76]);
                self.word(150 | 1 << 10);
                self.code.extend(at.to_le_bytes());
            }
            Op::EndSub => self.word(111),
            Op::Text(string) => {
                self.word(text);
                self.word(u16::try_from(string.len()).unwrap());
                self.code.extend(string.as_bytes());
                self.code.resize(self.code.len().next_multiple_of(2), 0);
            }
            Op::Number(number) => {
                self.word(172);
                self.word(*number);
            }
            Op::Load(name) => self.named(32, name),
            Op::Function(name, arguments) => {
                self.named(36, name);
                self.word(*arguments);
            }
            Op::Call(name, arguments) => {
                self.named(65 | 0x10 << 10, name);
                self.word(*arguments);
            }
            Op::CallMember(name, arguments) => {
                self.named(66 | 0x10 << 10, name);
                self.word(*arguments);
            }
            Op::Concat => self.word(17),
        }
    }

    pub(crate) fn line(mut self, ops: &[Op<'_>]) -> Self {
        let start = self.code.len();
        ops.iter().for_each(|op| self.instruction(op));
        self.lines.push((start, self.code.len() - start));
        // Lines start on eight bytes.
        self.code.resize(self.code.len().next_multiple_of(8), 0);
        self
    }

    /// The cache of the module: what stands before its source.
    pub(crate) fn cache(self) -> Vec<u8> {
        let wide = self.compiler.bits == Bits::Bits64;
        let mut out = vec![0u8; 0x120];
        out[0..3].copy_from_slice(&[1, 0x16, 3]);
        let at = |out: &Vec<u8>, before: usize| u32::try_from(out.len() - before).unwrap();
        let records = at(&out, if wide { 12 } else { 10 });
        out.extend(u32::try_from(self.records.len()).unwrap().to_le_bytes());
        out.extend(&self.records);
        let objects = at(&out, 0x8a);
        out.extend(0u32.to_le_bytes());
        let lines = at(&out, 0x3c);
        out.extend([0xfe, 0xca, 1, 0]);
        out.extend(u16::try_from(self.lines.len()).unwrap().to_le_bytes());
        for (start, len) in &self.lines {
            out.extend([0; 4]);
            out.extend(u16::try_from(*len).unwrap().to_le_bytes());
            out.extend([0; 2]);
            out.extend(u32::try_from(*start).unwrap().to_le_bytes());
        }
        out.extend([0; 10]);
        out.extend(&self.code);
        out[0x05..0x09].copy_from_slice(&objects.to_le_bytes());
        out[0x11..0x15].copy_from_slice(&records.to_le_bytes());
        out[0x19..0x1d].copy_from_slice(&lines.to_le_bytes());
        out
    }
}

/// A module: its name, its cache, and the stream behind the cache.
pub(crate) type Module = (&'static str, Vec<u8>, Vec<u8>);

/// A `vbaProject.bin` with caches; the editor lists the modules in `listed`.
pub(crate) fn project(compiler: &Compiler, modules: &[Module], listed: &[&str]) -> Vec<u8> {
    let offsets: Vec<(&str, u32)> = modules
        .iter()
        .map(|(name, cache, _)| (*name, u32::try_from(cache.len()).unwrap()))
        .collect();
    let text: String = listed
        .iter()
        .map(|name| format!("Module={name}\r\n"))
        .collect();
    let mut streams = vec![
        ("PROJECT".to_owned(), text.into_bytes()),
        ("VBA/dir".to_owned(), ovba_container(&dir_stream(&offsets))),
        ("VBA/_VBA_PROJECT".to_owned(), compiler.project()),
    ];
    for (name, cache, source) in modules {
        streams.push((format!("VBA/{name}"), [cache.as_slice(), source].concat()));
    }
    compound(&streams)
}

/// The compiled code of a macro that starts itself and starts a program.
pub(crate) fn attack(compiler: &mut Compiler) -> Vec<u8> {
    compiler
        .module()
        .line(&[Op::Sub("AutoOpen")])
        .line(&[
            Op::Text("cmd.exe /c "),
            Op::Text("echo done"),
            Op::Concat,
            Op::Number(0),
            Op::Call("Shell", 2),
        ])
        .line(&[
            Op::Text("WScript.Shell"),
            Op::Function("CreateObject", 1),
            Op::CallMember("Beep", 0),
        ])
        .line(&[Op::EndSub])
        .cache()
}

/// The compiled code of a macro that greets.
pub(crate) fn greeting(compiler: &mut Compiler) -> Vec<u8> {
    compiler
        .module()
        .line(&[Op::Sub("Greet")])
        .line(&[
            Op::Text("Hello"),
            Op::Load("vbInformation"),
            Op::Call("MsgBox", 2),
        ])
        .line(&[Op::EndSub])
        .cache()
}
