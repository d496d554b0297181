//! Does what its arguments say. Tests use it to see a pod behave, and misbehave, on purpose.
//!
//! ```text
//! exit CODE            ends with CODE
//! spin                 computes for ever
//! alloc MIB            takes and touches MIB MiB of memory, prints `allocated MIB`, then waits
//! churn MIB MS         takes and touches that much again and again, with MS milliseconds between
//! trap                 ends as a broken program does, by an illegal instruction
//! recurse              calls itself without end
//! multiply             starts itself again and again until that is refused, prints how often it was
//!                      done, then waits
//! print N              prints N numbered lines to standard output, and `done` to standard error
//! count MS             prints numbers for ever, with MS milliseconds between them
//! say TEXT             prints TEXT and ends the line
//! mutter TEXT          prints TEXT and does not
//! complain TEXT        prints TEXT to standard error
//! flood                prints for ever, as fast as it can and without an end of a line
//! echo                 prints what it reads, to its end
//! answer               prints `got LINE` for each line that it reads
//! terminal             prints whether standard input and output are terminals
//! sleep SECONDS        waits
//! deaf                 from here on does not end when asked to, if it can help it
//! farewell TEXT CODE   from here on prints TEXT and ends with CODE when asked to, if it can
//! env [NAME]           prints the variable NAME, or all of them, a line each, ordered by name
//! cwd                  prints the working directory
//! args [ANYTHING]      prints its own arguments, a line each
//! cat PATH             prints a file
//! lines PATH START     prints the lines of a file that start with START
//! list PATH            prints the names in a folder, ordered
//! await PATH           waits until there is a file
//! follow PATH          prints a file now and whenever it holds something else, or that it is gone
//! write PATH TEXT      writes TEXT to a file
//! append PATH TEXT     adds TEXT and the end of a line to a file
//! fill PATH MIB        writes MIB MiB to a file
//! remove PATH          removes a file
//! tcp-serve PORT [TEXT]  sends TEXT (`hello`) to each client and closes the connection
//! tcp-silence PORT     takes connections and says nothing
//! tcp-get HOST PORT    prints all that a server sends
//! http-serve PORT      serves over HTTP, see `http.rs`, and prints what it is asked
//! grpc-health PORT [PATH]  answers the health service of gRPC; with PATH it serves while that exists
//! ```
//!
//! A `;` among the arguments separates commands: the next one follows when one is done. A wrong use ends
//! with code 2, a failed operation with code 1; both say why on standard error. It ends with code 143 when
//! it is asked to end.

mod files;
mod grpc;
mod http;
mod misbehave;
mod net;
mod talk;

// What Wasm and Linux do differently.
#[cfg_attr(target_family = "wasm", path = "wasm.rs")]
#[cfg_attr(not(target_family = "wasm"), path = "linux.rs")]
mod platform;

use std::env;
use std::fmt::Display;
use std::io::Write as _;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

const USAGE: u8 = 2;

fn main() {
    platform::end_when_asked();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for command in words.split(|word| *word == ";") {
        if let Err(failure) = run(command) {
            eprintln!("{}", failure.message);
            leave(failure.code);
        }
    }
}

/// Ends the program.
fn leave(code: u8) -> ! {
    // Nobody may be listening any more.
    let _flushed = std::io::stdout().flush();
    platform::exit(code)
}

/// Why the program ends unhappily.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn usage(message: String) -> Self {
        Self { code: USAGE, message }
    }

    fn operation(what: &str, error: &impl Display) -> Self {
        Self { code: 1, message: format!("{what}: {error}") }
    }
}

fn run(words: &[&str]) -> Result<(), Failure> {
    match *words {
        ["exit", code] => leave(number(code)?),
        ["spin"] => misbehave::spin(),
        ["alloc", mib] => misbehave::allocate(number(mib)?),
        ["churn", mib, pause] => {
            misbehave::churn(number(mib)?, Duration::from_millis(number(pause)?));
        }
        ["trap"] => platform::trap(),
        ["recurse"] => misbehave::recurse(),
        ["multiply"] => misbehave::multiply(),
        ["flood"] => misbehave::flood()?,
        ["print", lines] => talk::print_lines(number(lines)?),
        ["count", pause] => talk::count(Duration::from_millis(number(pause)?)),
        ["say", text] => println!("{text}"),
        ["mutter", text] => talk::mutter(text)?,
        ["complain", text] => eprintln!("{text}"),
        ["echo"] => talk::echo()?,
        ["answer"] => talk::answer()?,
        ["terminal"] => talk::terminal(),
        ["sleep", seconds] => thread::sleep(Duration::from_secs(number(seconds)?)),
        ["deaf"] => platform::ignore_requests(),
        ["farewell", text, code] => platform::farewell(text.to_owned(), number(code)?),
        ["env", name] => {
            println!("{}", env::var(name).map_err(|error| Failure::operation(name, &error))?);
        }
        ["env"] => talk::variables(),
        ["cwd"] => println!("{}", platform::working_directory()),
        ["args", ..] => env::args().skip(1).for_each(|word| println!("{word}")),
        ["cat", path] => files::cat(path)?,
        ["lines", path, start] => files::lines(path, start)?,
        ["list", path] => files::list(path)?,
        ["await", path] => files::wait_for(path),
        ["follow", path] => files::follow(path),
        ["write", path, text] => files::write(path, text)?,
        ["append", path, text] => files::append(path, text)?,
        ["fill", path, mib] => files::fill(path, number(mib)?)?,
        ["remove", path] => files::remove(path)?,
        ["tcp-serve", port] => net::serve(number(port)?, "hello")?,
        ["tcp-serve", port, text] => net::serve(number(port)?, text)?,
        ["tcp-silence", port] => net::be_silent(number(port)?)?,
        ["tcp-get", host, port] => print!("{}", net::fetch(host, number(port)?)?),
        ["http-serve", port] => http::serve(number(port)?)?,
        ["grpc-health", port] => grpc::serve(number(port)?, None)?,
        ["grpc-health", port, path] => grpc::serve(number(port)?, Some(path))?,
        _ => return Err(Failure::usage(format!("no such command: {words:?}"))),
    }
    Ok(())
}

fn number<N: FromStr>(text: &str) -> Result<N, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is not a number in range")))
}
