//! Logs in files.

use std::io::Write as _;

use super::*;

const LOG: &str = "\
2026-01-01T00:00:01.000000001Z stdout F one
2026-01-01T00:00:02Z stderr P tw
2026-01-01T00:00:02Z stderr F o
garbage
2026-01-01T00:00:03Z stdout F three has words
2026-01-01T00:00:04Z stdout F \n";

fn rendered(options: LogOptions) -> String {
    let mut renderer = Renderer::new(options);
    let mut out = Vec::new();
    for line in LOG.lines().filter(|line| !line.is_empty()) {
        if !renderer.is_full() {
            renderer.render(line.as_bytes(), &mut out);
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn lines_are_rendered_as_the_program_wrote_them() {
    assert_eq!(rendered(LogOptions::default()), "one\ntwo\nthree has words\n\n");
    let timestamps = LogOptions { timestamps: true, ..LogOptions::default() };
    let first = rendered(timestamps);
    assert!(first.starts_with("2026-01-01T00:00:01.000000001Z one\n2026-01-01T00:00:02Z two\n"));
    let since = "2026-01-01T00:00:03Z".parse().ok();
    let late = LogOptions { since, ..LogOptions::default() };
    assert_eq!(rendered(late), "three has words\n\n");
    let limited = LogOptions { limit_bytes: Some(6), ..LogOptions::default() };
    assert_eq!(rendered(limited), "one\ntw");
}

#[test]
fn the_tail_is_found() {
    let mut file = tempfile::tempfile().unwrap();
    let line = "2026-01-01T00:00:01Z stdout F some words to fill the file with\n";
    for _ in 0..1000 {
        file.write_all(line.as_bytes()).unwrap();
    }
    let size = (line.len() * 1000) as u64;
    for lines in [0, 1, 2, 500, 999] {
        let expected = size - lines * line.len() as u64;
        assert_eq!(tail_offset(&mut file, lines).unwrap(), expected, "{lines}");
    }
    assert_eq!(tail_offset(&mut file, 1000).unwrap(), 0);
    assert_eq!(tail_offset(&mut file, 5000).unwrap(), 0);
}

#[test]
fn the_last_lines_become_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0.log");
    std::fs::write(&path, LOG).unwrap();
    assert_eq!(last_lines(&path, 2, 100).unwrap(), "three has words\n\n");
    assert_eq!(last_lines(&path, 2, 3).unwrap(), "s\n\n");
}

#[test]
fn foreign_lines_are_no_log() {
    for line in ["", "x", "a b c d", "2026 stdin F x"] {
        assert_eq!(parse_line(line.as_bytes()), None, "{line}");
    }
}
