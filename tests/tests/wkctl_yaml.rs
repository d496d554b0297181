//! `wkctl` reads YAML and JSON as stock kubectl does: the same values, the same complaints.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wk_tests::{Answer, kubectl_path, wkctl_path};

/// What every object begins with.
const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

/// Runs a client on the files of a folder, without a cluster.
fn asked(program: &Path, folder: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("KUBECONFIG");
    Answer::run(command)
}

/// The objects that a client printed, or what it complained of.
fn said(answer: &Answer) -> Result<Vec<Value>, String> {
    if answer.code == 0 {
        let objects = serde_json::Deserializer::from_str(&answer.stdout).into_iter::<Value>();
        return Ok(objects.map(|object| object.expect("it prints JSON")).collect());
    }
    let lines = answer.stderr.lines().filter(|line| !line.starts_with("hint: "));
    Err(lines.collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn agree_on(files: &[String]) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path();
    let mut differences = String::new();
    for content in files {
        std::fs::write(path.join("a.yaml"), content).expect("it can be written");
        let arguments = ["label", "--local", "-f", "a.yaml", "x=y", "-o", "json"];
        let theirs = said(&asked(&kubectl_path(), path, &arguments));
        let ours = said(&asked(&wkctl_path(), path, &arguments));
        if theirs != ours {
            writeln!(differences, "=== {content}\n--- kubectl {theirs:?}\n--- wkctl {ours:?}")
                .expect("a string can be written to");
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

fn with_head(rows: &[&str]) -> Vec<String> {
    rows.iter().map(|row| format!("{HEAD}{row}\n")).collect()
}

#[test]
fn values_are_read_alike() {
    let rows = [
        "v: [0644, -0644, 0o644, 0x1F, -0x1F, 0b11, 08, 09.5, 0_8, 0X1f, 0B11, 0O17, +5, 1__0, 1_]",
        "v: [1e3, 1E+3, .5, 5., -.5, 1_0.5, 1.5e400, 0x1p3, 0x_1, _1, 1_000, '1e3', 12e03, +0x5]",
        "v: [yes, Yes, yEs, on, ON, n, y, Y, N, no, off, TRUE, tRue, 'yes', \"on\", False]",
        "v: [~, null, Null, nUll, '', '~', \"\", ]",
        "v: [2001-01-01, 2001-12-14t21:59:43.10-05:00, '2001-01-01', 1:30, 12:30:45, =, <<]",
        "v: [!!str 123, !!int '5', !!float 5, !!bool yes, !!binary aGVsbG8=, !own 5, ! 5, !!null '']",
        "v: {1: a, 1.5: b, true: c, 0x10: e, 1e3: f, .inf: g, 2001-01-01: h, 1e6: i, 1e-5: j}",
        "v: {a: 1, <<: {a: 2, b: 3}}\nw: {<<: {a: 2, b: 3}, a: 1}\nx: {<<: [{a: 1}, {a: 2, b: 3}]}",
        "v: &a {x: 1}\nw:\n  <<: *a\n  z: 2\nx: *a\nu: {\"<<\": 1}\n? <<\n: {t: 1}",
        "v: {a: , b: null}\nw: {a: 1, a: 2}\nx: {'a':1, \"b\": c, d}\n? u\n: t",
        "v: 'a\n  b'\nw: \"a\n\n  b \\\n c\"\nx: a\n b\n\n c\nu: '{\n\"a\": 1\n}'\nt: \"a\n\tb\"",
        "v: |\n  a\n   b\n\nw: >\n  a\n  b\n\n  c\nx: |-\n  a\n\nu: |+\n  a\n\nt: |2\n   a",
        "v: a#b\nw: a # b\nx: 'it''s'\nu: -x\nt: ?x\ns: :x\nr: a\\b",
        "v: \"\\x41\\u0042\\U00000043\\N\\_\\e\\0\"\nw: é😀",
        "v:\n- a\n-\n  - b\n- c: d\n  e: [f,\ng]\nw: {a: [\n1\n]}",
        "v: a\r\nw: b\r\n---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: b}\r",
        "v: a\n--- # next\n# only a comment\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}",
        "v: a\n...\nv: b",
    ];
    agree_on(&with_head(&rows));
    let json = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"v":"\/é"}"#;
    agree_on(&[
        format!("{json}{json}\n {json}\n"),
        format!("\n {json}\n---\n{HEAD}v: yes\n"),
        json.replace("\"v\"", "v"),
        json.replace("\\/", "").replace('}', ",}"),
    ]);
}

#[test]
fn complaints_are_alike() {
    let rows = [
        "v: .inf",
        "v: -.inf",
        "v: .nan",
        "? [a]\n: 1",
        "? {a: b}\n: 1",
        "~: 1",
        "18446744073709551615: x",
        "v: *x",
        "v: *.example.com",
        "v: &x [*x]",
        "v: !!int foo",
        "v: !!int 1.0",
        "v: !!int ''",
        "v: !!binary '*'",
        "v: {<<: 1}",
        "v: a: b",
        "v: [a",
        "v: [",
        "v: {a",
        "v: [a}",
        "v: {a: b\nc: d}",
        "v: [a\nb: c",
        "v: 'a",
        "v: \"a\nb: c",
        "v: \"\\q\"",
        "v: \"\\x4\"",
        "v: @a",
        "v: `a",
        "v: %a",
        "v:\n\ta: b",
        "v:\n  a: b\n c: d",
        "v:\n  - a\n b: c",
        "v:\n- a\nb",
        "v: a\n  b: c",
        "v: b\n c:",
        "v: |\n  a\n b",
        "v: |\n\ta",
        "v: a\n\tb",
        "v: &",
        "v: - a",
        "v: [a, , b]",
        "v: \"a\" b",
        "v: {a: 'b'c}",
        "v: ]",
        "v: !x!y a",
        "v:a",
        "a b\n\n# c\nd: e",
        "v: {{ .Values.x }}: y",
        "v: a\u{7}b",
        "v: a\n--- b",
    ];
    agree_on(&with_head(&rows));
    let texts = ["- a\n", "[1]", "foo\n", "1\n", "{}\n", "kind: 5\n", "{a: b"];
    agree_on(&texts.map(str::to_owned));
}

#[test]
fn files_may_say_how_they_are_encoded() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path();
    let text = format!("{HEAD}v: é\n");
    let pairs =
        |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let contents = [
        [b"\xef\xbb\xbf".to_vec(), text.clone().into_bytes()].concat(),
        [b"\xff\xfe".to_vec(), pairs(u16::to_le_bytes)].concat(),
        [b"\xfe\xff".to_vec(), pairs(u16::to_be_bytes)].concat(),
        format!("{HEAD}v: a").into_bytes().into_iter().chain(*b"\xff\n").collect(),
    ];
    for content in contents {
        std::fs::write(path.join("a.yaml"), &content).expect("it can be written");
        let arguments = ["label", "--local", "-f", "a.yaml", "x=y", "-o", "json"];
        let theirs = said(&asked(&kubectl_path(), path, &arguments));
        assert_eq!(said(&asked(&wkctl_path(), path, &arguments)), theirs, "{content:?}");
        assert!(theirs.is_ok(), "{theirs:?}");
    }
}

#[test]
fn kustomizations_are_read_alike() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path();
    let rows = [
        "v: [yes, y, 'on', 0644, 0o17, 1_0, 1e3, 08, .5, 1:30, 0b11, 0x1F, nUll, ~, 1_000.5]",
        "v: [2001-01-01, 2001-1-2, 2001-12-14T21:59:43Z, '2001-01-01']",
        "1: a\ntrue: b\nyes: c\n1.5: d\n0x10: e",
        "v: {a: 2, <<: {a: 1}}\nw: {<<: [{a: 1}, {a: 2, b: 3}]}\n<<: {q: 1}",
        "v: &x {a: 1}\nw: {<<: *x}\nu: &t yes\ns: *t",
        "v: [!!str 1, !own 5, ! 5, !!binary aGVsbG8=, !!bool true, !!float 5]",
    ];
    std::fs::write(path.join("kustomization.yaml"), "resources: [a.yaml]\n").expect("written");
    for row in rows {
        std::fs::write(path.join("a.yaml"), format!("{HEAD}{row}\n")).expect("it can be written");
        let theirs = asked(&kubectl_path(), path, &["kustomize", "."]).ok();
        assert_eq!(asked(&wkctl_path(), path, &["kustomize", "."]).ok(), theirs, "{row}");
    }
    for row in ["v: {a: 1, a: 2}", "v: {1: a}", "v: .inf", "v: a: b", "v: *x", "v: !!bool yes"] {
        std::fs::write(path.join("a.yaml"), format!("{HEAD}{row}\n")).expect("it can be written");
        for program in [kubectl_path(), wkctl_path()] {
            assert_eq!(asked(&program, path, &["kustomize", "."]).code, 1, "{row}");
        }
    }
}
