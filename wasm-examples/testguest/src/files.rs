//! Files and folders.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::Failure;

/// How often a file is looked at that somebody else is to change.
const LOOK: Duration = Duration::from_millis(5);

pub(crate) fn cat(path: &str) -> Result<(), Failure> {
    print!("{}", read(path)?);
    Ok(())
}

pub(crate) fn lines(path: &str, start: &str) -> Result<(), Failure> {
    for line in read(path)?.lines().filter(|line| line.starts_with(start)) {
        println!("{line}");
    }
    Ok(())
}

fn read(path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::operation(path, &error))
}

pub(crate) fn list(path: &str) -> Result<(), Failure> {
    let failed = |error| Failure::operation(path, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        println!("{name}");
    }
    Ok(())
}

pub(crate) fn wait_for(path: &str) {
    while !Path::new(path).exists() {
        thread::sleep(LOOK);
    }
}

pub(crate) fn follow(path: &str) -> ! {
    let mut shown = None;
    loop {
        let text = fs::read_to_string(path).unwrap_or_else(|error| format!("{:?}", error.kind()));
        if shown.as_ref() != Some(&text) {
            println!("{text}");
            shown = Some(text);
        }
        thread::sleep(LOOK);
    }
}

pub(crate) fn write(path: &str, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::operation(path, &error))
}

pub(crate) fn append(path: &str, text: &str) -> Result<(), Failure> {
    let opened = File::options().create(true).append(true).open(path);
    opened
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()))
        .map_err(|error| Failure::operation(path, &error))
}

pub(crate) fn fill(path: &str, mib: usize) -> Result<(), Failure> {
    fs::write(path, vec![b'x'; mib << 20]).map_err(|error| Failure::operation(path, &error))
}

pub(crate) fn remove(path: &str) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| Failure::operation(path, &error))
}
