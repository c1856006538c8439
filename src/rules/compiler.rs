//! What a rule may name, and the rule files of the binary: one place for the build, which compiles them once, and for
//! the program, which compiles what a user brings.

use yara_x::Compiler;
use yara_x::errors::VariableError;

/// The rule files embedded in the binary, by name.
pub const EMBEDDED: &[(&str, &str)] = &[
    (
        "developer_tools.yar",
        include_str!("../../signatures/developer_tools.yar"),
    ),
    (
        "documents.yar",
        include_str!("../../signatures/documents.yar"),
    ),
    (
        "droppers.yar",
        include_str!("../../signatures/droppers.yar"),
    ),
    (
        "lateral_movement.yar",
        include_str!("../../signatures/lateral_movement.yar"),
    ),
    ("scripts.yar", include_str!("../../signatures/scripts.yar")),
];

/// Globals that are texts.
const TEXTS: &[&str] = &[
    "filename",
    "filepath",
    "extension",
    "filetype",
    "owner",
    "kind",
    "via",
    "parent_kind",
];

/// An empty compiler that knows the globals of sekisho.
pub(crate) fn with_globals<'a>() -> Result<Compiler<'a>, VariableError> {
    let mut compiler = Compiler::new();
    for global in TEXTS {
        compiler.define_global(global, "")?;
    }
    compiler.define_global("depth", 0_i64)?;
    compiler.define_global("marked", true)?;
    Ok(compiler)
}
