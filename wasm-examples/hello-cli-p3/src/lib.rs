//! The greeting of `hello-cli`, by the asynchronous interfaces of WASI 0.3.
//!
//! Set `GREETING` to be greeted differently. There is no `main`: the program exports
//! `wasi:cli/run`, and writes to its output through a stream.

use std::fmt::Write as _;

use wasip3::cli::{environment, stdout};
use wasip3::exports::cli::run::Guest;
use wasip3::{spawn_local, wit_stream};

struct HelloCli;

wasip3::cli::command::export!(HelloCli);

impl Guest for HelloCli {
    async fn run() -> Result<(), ()> {
        let (mut output, read) = wit_stream::new();
        let written = stdout::write_via_stream(read);
        spawn_local(async move {
            // What could not be written shows in `written`.
            let _unwritten = output.write_all(greeting().into_bytes()).await;
        });
        written.await.map_err(drop)
    }
}

fn greeting() -> String {
    let variables = environment::get_environment();
    let greeting = variables.iter().find(|(name, _)| name == "GREETING");
    let mut text = format!("{} from WebAssembly!\n", greeting.map_or("Hello", |(_, word)| word));
    for (position, argument) in environment::get_arguments().iter().enumerate().skip(1) {
        // Writing to a string cannot fail.
        let _written = writeln!(text, "argument {position}: {argument}");
    }
    text
}
