//! placeholder
fn main() {
    let mut c = yara_x::Compiler::new();
    c.add_source("rule a {condition: true}").ok();
    let r = c.build();
    let b = r.serialize();
    std::fs::write(
        std::path::Path::new(&std::env::var("OUT_DIR").unwrap_or_default()).join("rules.bin"),
        b.unwrap_or_default(),
    )
    .ok();
}
