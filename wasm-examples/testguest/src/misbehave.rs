//! What a node has to contain.

use std::env;
use std::hint::black_box;
use std::io::Write as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::Failure;

pub(crate) fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

pub(crate) fn allocate(mib: usize) -> ! {
    // Any byte other than 0 makes the allocator touch every page.
    let memory = vec![1_u8; mib << 20];
    println!("allocated {mib}");
    loop {
        thread::sleep(Duration::from_hours(1));
        black_box(&memory);
    }
}

pub(crate) fn churn(mib: usize, pause: Duration) -> ! {
    loop {
        black_box(vec![1_u8; mib << 20]);
        thread::sleep(pause);
    }
}

pub(crate) fn recurse() {
    println!("{}", deeper(0));
}

fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { deeper(black_box(depth + 1)).wrapping_add(frame[63]) }
}

/// Starts itself until that is refused.
pub(crate) fn multiply() -> ! {
    let own = env::current_exe().unwrap_or_default();
    let mut children = Vec::new();
    let why = loop {
        match Command::new(&own).args(["sleep", "100000"]).spawn() {
            Ok(child) => children.push(child),
            Err(error) => break error,
        }
    };
    println!("refused after {}: {why}", children.len());
    loop {
        thread::sleep(Duration::from_hours(1));
        black_box(&children);
    }
}

pub(crate) fn flood() -> Result<(), Failure> {
    let text = vec![b'x'; 64 << 10];
    let mut out = std::io::stdout().lock();
    loop {
        // The standard library's buffer is passed by at this size.
        out.write_all(&text).map_err(|error| Failure::operation("flood", &error))?;
    }
}
