//! Does what its arguments say. Tests use it to see a pod behave, and misbehave, on purpose.
//!
//! ```text
//! exit CODE            ends with CODE
//! spin                 computes for ever
//! alloc MIB            takes and touches MIB MiB of memory, prints `allocated MIB`, then waits
//! trap                 executes an illegal instruction
//! print N              prints N numbered lines to standard output, and `done` to standard error
//! flood                prints for ever, as fast as it can and without an end of a line
//! sleep SECONDS        waits and ends
//! env [NAME]           prints the variable NAME, or all of them, a line each, ordered by name
//! cat PATH             prints a file
//! follow PATH          prints a file now and whenever it holds something else, or that it is gone
//! write PATH TEXT      writes TEXT to a file
//! fill PATH MIB        writes MIB MiB to a file
//! remove PATH          removes a file
//! tcp-serve PORT [TEXT]  sends TEXT (`hello`) to each client and closes the connection
//! tcp-get HOST PORT    prints all that a server sends
//! ```
//!
//! A wrong use ends with code 2, a failed operation with code 1; both say why on standard error.

mod net;

use std::hint::black_box;
use std::io::Write as _;
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::Duration;
use std::{env, fs};

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&words).unwrap_or_else(|failure| {
        eprintln!("{}", failure.message);
        ExitCode::from(failure.code)
    })
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

    fn operation(what: &str, error: &impl ToString) -> Self {
        Self { code: 1, message: format!("{what}: {}", error.to_string()) }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    match *words {
        ["exit", code] => return Ok(ExitCode::from(number::<u8>(code)?)),
        ["spin"] => spin(),
        ["alloc", mib] => allocate(number(mib)?),
        ["trap"] => core::arch::wasm32::unreachable(),
        ["print", lines] => print_lines(number(lines)?),
        ["flood"] => flood()?,
        ["sleep", seconds] => thread::sleep(Duration::from_secs(number(seconds)?)),
        ["env", name] => {
            println!("{}", env::var(name).map_err(|error| Failure::operation(name, &error))?);
        }
        ["cat", path] => {
            let text = fs::read_to_string(path).map_err(|e| Failure::operation(path, &e))?;
            print!("{text}");
        }
        ["env"] => {
            let mut all: Vec<String> =
                env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            all.sort();
            println!("{}", all.join("\n"));
        }
        ["follow", path] => follow(path),
        ["write", path, text] => {
            fs::write(path, text).map_err(|error| Failure::operation(path, &error))?;
        }
        ["fill", path, mib] => {
            let bytes = vec![b'x'; number::<usize>(mib)? << 20];
            fs::write(path, bytes).map_err(|error| Failure::operation(path, &error))?;
        }
        ["remove", path] => {
            fs::remove_file(path).map_err(|error| Failure::operation(path, &error))?;
        }
        ["tcp-serve", port] => net::serve(number(port)?, "hello")?,
        ["tcp-serve", port, text] => net::serve(number(port)?, text)?,
        ["tcp-get", host, port] => print!("{}", net::fetch(host, number(port)?)?),
        _ => return Err(Failure::usage(format!("no such command: {words:?}"))),
    }
    Ok(ExitCode::SUCCESS)
}

fn number<N: FromStr>(text: &str) -> Result<N, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is not a number in range")))
}

fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

fn allocate(mib: usize) {
    // Any byte other than 0 makes the allocator touch every page.
    let memory = vec![1_u8; mib << 20];
    println!("allocated {mib}");
    loop {
        thread::sleep(Duration::from_hours(1));
        black_box(&memory);
    }
}

fn flood() -> Result<(), Failure> {
    let text = vec![b'x'; 64 << 10];
    let mut out = std::io::stdout().lock();
    loop {
        // The standard library's buffer is passed by at this size.
        out.write_all(&text).map_err(|error| Failure::operation("flood", &error))?;
    }
}

fn follow(path: &str) -> ! {
    let mut shown = None;
    loop {
        let text = fs::read_to_string(path).unwrap_or_else(|error| format!("{:?}", error.kind()));
        if shown.as_ref() != Some(&text) {
            println!("{text}");
            shown = Some(text);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn print_lines(lines: u64) {
    for line in 1..=lines {
        println!("line {line}");
    }
    eprintln!("done");
}
