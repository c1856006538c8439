//! Compiles the embedded rules into `OUT_DIR/rules.bin`, so that the program need not do it at every start.

#![allow(
    clippy::print_stdout,
    reason = "a build script speaks to cargo by its standard output"
)]

use std::error::Error;
use std::path::Path;

use yara_x::SourceCode;

#[path = "src/rules/compiler.rs"]
#[allow(unreachable_pub, reason = "the program gives the same file to others")]
mod compiler;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/rules/compiler.rs");
    println!("cargo::rerun-if-changed=signatures");
    let mut rules = compiler::with_globals()?;
    for (origin, text) in compiler::EMBEDDED {
        rules.add_source(SourceCode::from(*text).with_origin(*origin))?;
    }
    let out = std::env::var_os("OUT_DIR").ok_or("cargo gives no OUT_DIR")?;
    std::fs::write(
        Path::new(&out).join("rules.bin"),
        rules.build().serialize()?,
    )?;
    Ok(())
}
