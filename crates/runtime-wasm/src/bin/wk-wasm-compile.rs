//! The compiler process alone, for tests of the runtime; the `wk` binary has the same within it.

use std::process::ExitCode;

fn main() -> ExitCode {
    wk_runtime_wasm::compile_main(std::env::args_os().skip(1))
}
