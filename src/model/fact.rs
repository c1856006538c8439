//! What an unpacker saw and does not judge: analyzers turn facts into findings.

use crate::limits::Halt;

use super::Kind;

/// One thing seen while unpacking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The specification does not allow it, but it was read whole all the same.
    Deviation {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What was expected and what was found.
        what: String,
    },
    /// Something in the container could not be read.
    Unread {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What it was and why.
        what: String,
    },
    /// The whole container is locked by a password.
    Locked {
        /// How, such as `AES-256` or `RC4 CryptoAPI`.
        scheme: String,
        /// Which part of it, where not all is locked.
        what: Option<String>,
    },
    /// A container, or a part of it, that a known password opened.
    Unlocked {
        /// How it was locked.
        scheme: String,
        /// Which part of it, where not all was locked.
        what: Option<String>,
        /// Where the word stood.
        origin: String,
        /// The word, where it is to be shown.
        word: Option<String>,
    },
    /// A container for which there is no reader.
    NoReader {
        /// What about it is not supported.
        what: String,
    },
    /// A limit that left something unseen.
    Limit {
        /// Which one.
        halt: Halt,
        /// Where it was met.
        what: String,
    },
    /// A part of the scanner panicked on these bytes.
    Crashed {
        /// The unpacker or analyzer.
        by: String,
        /// The panic's message.
        what: String,
    },
    /// The bytes are plausible as another kind too, and that reading was followed.
    Polyglot {
        /// The other kind.
        kind: Kind,
        /// Offset at which it starts.
        at: usize,
    },
    /// A mail that different readers take apart differently.
    MimeAmbiguous {
        /// What is ambiguous.
        what: String,
        /// Whether one reading shows an attachment that another hides.
        hides: Hides,
    },
    /// A mail that breaks the syntax of its specification.
    MimeMalformed {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What was expected and what was found.
        what: String,
    },
    /// A fragment of a message that was sent in several mails (RFC 2046 5.2.2).
    MimePartial {
        /// Its number, total and id as declared.
        what: String,
    },
    /// Two places give this artifact different names.
    NameConflict {
        /// Both, safe to show.
        what: String,
    },
    /// Storage for macros, with or without code in it.
    VbaStorage {
        /// Modules found.
        modules: usize,
        /// Modules with at least one line that is neither an attribute nor blank.
        with_code: usize,
    },
    /// The sources of all macro modules in it, by which a project is known again.
    VbaHash {
        /// SHA-256 over the normalised sources.
        sha256: [u8; 32],
    },
    /// What a signature of the macro project in it would sign ([MS-OVBA] 2.4.2).
    VbaContent {
        /// MD5 over the project as the oldest signatures see it.
        legacy: [u8; 16],
        /// SHA-256 over it as Agile and V3 signatures see it.
        newer: Vec<[u8; 32]>,
    },
    /// A signature that holds for the macro project in it.
    VbaSigner {
        /// SHA-256 over the certificate of who signed.
        sha256: [u8; 32],
    },
    /// Compiled code of a macro module that uses what its source has not.
    PcodeDiffers {
        /// Name of the module.
        module: String,
        /// Procedures, calls, other names and strings that only the compiled code has, the most telling first.
        what: String,
    },
    /// A macro module with code that is part of the project, and that the editor does not list.
    HiddenModule {
        /// Its name.
        module: String,
    },
    /// Something outside that the document names and that its program fetches or opens.
    External {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What the document uses it as.
        role: Role,
        /// The address as written, decoded: a URL, a UNC path, a moniker, a file name.
        target: String,
    },
    /// An object of another program in a rich text.
    Object {
        /// Offset of its data.
        at: usize,
        /// Its class as the document names it; empty where it does not.
        class: String,
        /// Whether its data is elsewhere.
        linked: bool,
        /// Whether it is brought up to date, and so loaded, when the document is opened.
        updates: bool,
        /// What hides its data, in words; empty for data as programs write it.
        hidden: Vec<String>,
    },
    /// A file put into a document by the Object Packager; stands on the file.
    Package {
        /// The name under its icon.
        label: String,
        /// Where it came from.
        path: String,
        /// Where it is put when it is opened.
        temporary: String,
    },
    /// A formula of the Equation Editor.
    Equation(Formula),
    /// The object, and all that is in it, is loaded when the document is opened.
    LoadedOnOpening,
    /// A component that the document loads to show something of itself.
    Control {
        /// Its class id in braces, or its class name.
        class: String,
    },
    /// The class of an object or storage, where it has one.
    StorageClass {
        /// Its class id in braces.
        class: String,
    },
    /// A dynamic data exchange link: a field, a formula or a link record.
    Dde {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// Program, topic and item as one line, decoded and put together, such as `cmd /c calc.exe`.
        command: String,
        /// Whether the document asks for it by itself when it is opened (`DDEAUTO`, automatic links).
        automatic: bool,
    },
    /// A sheet of a workbook that is not shown.
    HiddenSheet {
        /// Its name.
        name: String,
        /// How it is hidden.
        how: Hiding,
    },
    /// What a shortcut starts.
    Shortcut {
        /// Where it leads, what Windows prefers first; never empty texts.
        targets: Vec<String>,
        /// What stands behind the target on the command line.
        arguments: String,
        /// Whether its window does not show: minimized.
        minimized: bool,
        /// The file that holds its icon, where one is named.
        icon: Option<String>,
    },
    /// What a program calls itself in its version information.
    Version {
        /// OriginalFilename.
        original: Option<String>,
        /// InternalName.
        internal: Option<String>,
        /// ProductName.
        product: Option<String>,
    },
    /// A task of a build project whose program text stands in the project.
    InlineTask {
        /// Its name.
        name: String,
        /// The factory that compiles it.
        factory: String,
        /// The start of the program text.
        code: String,
    },
    /// A command line that a build runs.
    BuildCommand {
        /// The element that holds it, as written.
        element: String,
        /// The command.
        line: String,
    },
    /// A piece of a build that is taken from another machine.
    BuildImport {
        /// The element that names it, as written.
        element: String,
        /// Its address or path.
        target: String,
    },
    /// A command line that the container runs, such as one of an installer; stands on the text of it.
    CommandLine {
        /// The command.
        line: String,
    },
    /// A static function called while a build project is read, such as `$([System.IO.File]::Exists('a'))`.
    BuildFunction {
        /// As written.
        expression: String,
    },
    /// How a PDF is encrypted.
    PdfEncrypted {
        /// Cipher, or handler where it is not the standard one.
        scheme: String,
        /// Whether it was opened with the empty password.
        opened: bool,
    },
    /// Something that a PDF does by itself or on a click.
    PdfAction {
        /// Offset of the object.
        at: usize,
        /// What it does.
        deed: PdfDeed,
        /// What with: a file and its arguments, an address, the kind of an action.
        target: String,
    },
    /// A script of a PDF; stands on the script.
    PdfScript {
        /// Whether it runs when the document or a page of it is opened.
        on_open: bool,
        /// A key or name on the way to it that is written with `#xx` codes; empty where none is.
        hidden: String,
    },
    /// The Windows code page that its text is in, as its container says.
    CodePage {
        /// Its number, such as 932.
        number: u16,
    },
}

/// What an action of a PDF does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PdfDeed {
    /// Whatever is named, on opening.
    Open,
    /// Starts a program or opens a file.
    Launch,
    /// Sends what was filled in.
    Submit,
    /// Opens an address.
    Uri,
    /// Form data belong to a document on the web, which is opened with them.
    Belongs,
}

/// The state of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// As the editor writes it, or data that only another editor reads.
    WellFormed,
    /// With a record that is longer than the editor has room for: which one.
    Overflow(String),
    /// Not what an editor writes: what was expected and what was found.
    Invalid(String),
}

/// What a document uses an external target as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The template that is loaded with the document.
    Template,
    /// The data of a linked OLE object.
    OleObject,
    /// The content of a frame or frame set.
    Frame,
    /// A part of a master document.
    Subdocument,
    /// Another workbook whose cells are used.
    Workbook,
    /// A picture, sound or video that is shown.
    Media,
    /// A link that a click follows.
    Link,
    /// A program that a click on a slide, or the pointer over it, starts.
    Started,
    /// Text or pictures that a field inserts (`INCLUDETEXT`, `INCLUDEPICTURE`, `IMPORT`).
    Inclusion,
    /// Anything else that is fetched; the relationship or field names it.
    Other,
}

/// How a sheet is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hiding {
    /// The user can show it.
    Hidden,
    /// No menu of Excel shows it.
    VeryHidden,
}

/// Whether an ambiguity hides something from one of the readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides {
    /// All readings show the same attachments.
    Nothing,
    /// One reading shows an attachment that another hides.
    Attachment,
}
