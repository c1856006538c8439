//! The `sekisho` program: parses, calls, maps the exit code.

fn main() {}
