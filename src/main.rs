//! The `sekisho` program: parses, calls, maps the exit code.

use std::process::ExitCode;

/// An allocator that keeps pages: unpacking takes and returns large blocks all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sekisho::cli::run(std::env::args_os()).into()
}
