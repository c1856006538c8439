#![no_main]

//! Any target, by its name in the environment: one program to build instead of one for each.

use std::sync::LazyLock;

#[path = "../targets.rs"]
mod targets;

static NAME: LazyLock<String> = LazyLock::new(|| {
    std::env::var("SEKISHO_FUZZ_TARGET").expect("SEKISHO_FUZZ_TARGET names the target")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::run(&NAME, data));
