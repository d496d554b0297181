//! Standard input and output.

use std::env;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::thread;
use std::time::Duration;

use crate::Failure;

pub(crate) fn print_lines(lines: u64) {
    for line in 1..=lines {
        println!("line {line}");
    }
    eprintln!("done");
}

pub(crate) fn count(pause: Duration) -> ! {
    let mut number = 0_u64;
    loop {
        number += 1;
        println!("{number}");
        thread::sleep(pause);
    }
}

pub(crate) fn mutter(text: &str) -> Result<(), Failure> {
    print!("{text}");
    io::stdout().flush().map_err(|error| Failure::operation("mutter", &error))
}

pub(crate) fn echo() -> Result<(), Failure> {
    let copied = io::copy(&mut io::stdin().lock(), &mut io::stdout().lock());
    copied.map(drop).map_err(|error| Failure::operation("echo", &error))
}

pub(crate) fn answer() -> Result<(), Failure> {
    for line in io::stdin().lock().lines() {
        println!("got {}", line.map_err(|error| Failure::operation("answer", &error))?);
    }
    Ok(())
}

pub(crate) fn terminal() {
    println!("input {}, output {}", io::stdin().is_terminal(), io::stdout().is_terminal());
}

pub(crate) fn variables() {
    let mut all: Vec<String> = env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    all.sort();
    println!("{}", all.join("\n"));
}
