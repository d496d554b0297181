//! Writes the table of types in `crates/schema/src/generated/`.
//!
//! JSON names, types, required fields, kinds and documentation are read from the sources of
//! `k8s-openapi`; protobuf numbers, merge markers (`+patchMergeKey=name`, `+listType=map`) and
//! schema defaults from those of `k8s-pb`, which carries the comments of Kubernetes' own `.proto`
//! files. Neither is compiled.
//!
//! ```text
//! cargo run --manifest-path crates/codegen/Cargo.toml              # writes the table
//! cargo run --manifest-path crates/codegen/Cargo.toml -- --check   # fails if it would change
//! ```
//!
//! Which fields Go holds behind pointers stands in `data/go-fields.txt`, read out of a `kubectl` of
//! the same or the next release by `-- --go-fields PATH`.

mod docs;
mod emit;
mod go_types;
mod join;
mod json_types;
mod proto_types;
mod sources;
mod special;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let task = match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => Task::Write,
        [flag] if flag == "--check" => Task::Check,
        [flag, path] if flag == "--go-fields" => Task::GoFields(path.into()),
        other => bail!("unknown arguments {other:?}: `--check` and `--go-fields PATH` are known"),
    };
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = manifest_dir.join("../schema/src");
    let go_fields = manifest_dir.join("data/go-fields.txt");
    let sources = sources::locate(manifest_dir)?;
    let json = json_types::read(&sources.k8s_openapi.join("src/v1_36"))?;
    let proto = proto_types::read(&sources.k8s_pb.join("src"))?;
    let go_text = match task {
        Task::GoFields(_) => String::new(),
        Task::Write | Task::Check => {
            fs::read_to_string(&go_fields).context("reading Go's fields")?
        }
    };
    let joined = join::join(json, &proto, &go_types::read(&go_text)?)?;

    let mut stderr = std::io::stderr().lock();
    if let Task::GoFields(program) = task {
        let program =
            fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
        let text = go_types::extract(&program, &joined)?;
        writeln!(stderr, "{} fields", text.lines().count())?;
        return fs::write(&go_fields, text).context("writing Go's fields");
    }
    for note in &joined.notes {
        writeln!(stderr, "note: {note}")?;
    }
    let files = emit::files(&joined)?;
    writeln!(stderr, "{} messages, {} kinds", joined.messages.len(), joined.kinds.len())?;
    if matches!(task, Task::Check) { compare(&target, &files) } else { write(&target, files) }
}

/// What the program is asked to do.
enum Task {
    Write,
    Check,
    GoFields(PathBuf),
}

/// Writes the files, and removes generated ones that are no longer made.
fn write(target: &Path, files: BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    let generated = target.join("generated");
    if generated.exists() {
        fs::remove_dir_all(&generated).context("removing the old table")?;
    }
    for (path, content) in files {
        let path = target.join(path);
        let folder = path.parent().context("a generated file without folder")?;
        fs::create_dir_all(folder)?;
        fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn compare(target: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    for (path, content) in files {
        let path = target.join(path);
        let current = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        if current != *content {
            bail!("{} is not what the generator makes", path.display());
        }
    }
    for entry in fs::read_dir(target.join("generated"))? {
        let path = Path::new("generated").join(entry?.file_name());
        if !files.contains_key(&path) {
            bail!("{} is not made by the generator", path.display());
        }
    }
    Ok(())
}

/// Formats Rust source as the workspace does.
fn rustfmt(source: &str) -> anyhow::Result<String> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(config)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("starting rustfmt")?;
    let mut stdin = child.stdin.take().context("rustfmt has no standard input")?;
    let source = source.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(source.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().ok().context("the thread that feeds rustfmt panicked")??;
    if !output.status.success() {
        bail!("rustfmt failed");
    }
    Ok(String::from_utf8(output.stdout)?)
}
