//! What the commit modes cost: writes a second and their latency, opening after a kill, file growth.
//!
//! `cargo bench -p wk-store-redb` prints a table; a folder as argument chooses the disk.

#![expect(clippy::cast_precision_loss, reason = "what is printed has three digits")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::Instant;
use wk_store::{Revision, Store};
use wk_store_redb::{CommitMode, Options, RedbStore};

const MODES: [CommitMode; 3] = [CommitMode::OneSync, CommitMode::TwoPhase, CommitMode::QuickRepair];
/// How long one row is measured.
const SPAN: Duration = Duration::from_secs(3);
const VALUE_BYTES: usize = 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    if let [mode, path, megabytes] = arguments.as_slice()
        && let Some(mode) = MODES.into_iter().find(|known| format!("{known:?}") == *mode)
    {
        return runtime.block_on(fill(mode, Path::new(path), megabytes));
    }
    let folder = arguments.first().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::TempDir::new_in(folder).expect("the folder can be written to");
    say(format_args!(
        "{:<12} {:>8} {:>10} {:>9} {:>9}",
        "mode", "writers", "writes/s", "p50", "p99"
    ));
    for writers in [1, 16, 128] {
        for mode in MODES {
            runtime.block_on(throughput(mode, writers, folder.path()));
        }
    }
    say(format_args!(
        "\n{:<12} {:>10} {:>14} {:>14}",
        "mode", "file", "after a kill", "after a close"
    ));
    for megabytes in ["8", "64", "256"] {
        for mode in MODES {
            reopening(mode, megabytes, folder.path());
        }
    }
    say(format_args!("\n{:<12} {:>10} {:>10} {:>10}", "mode", "live", "file", "closed"));
    for mode in MODES {
        runtime.block_on(growth(mode, folder.path()));
    }
}

fn say(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}

fn options(commit: CommitMode) -> Options {
    Options { commit, ..Options::default() }
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

fn megabytes(path: &Path) -> String {
    let bytes = path.metadata().expect("the file exists").len();
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// So many writers, each creating keys as fast as they are acknowledged.
async fn throughput(mode: CommitMode, writers: usize, folder: &Path) {
    let path = folder.join(format!("{mode:?}-{writers}.redb"));
    let store = Arc::new(RedbStore::open(&path, &options(mode)).expect("the store opens"));
    let start = Instant::now();
    let write = |writer: usize| {
        let store = Arc::clone(&store);
        async move {
            let mut latencies = Vec::new();
            while start.elapsed() < SPAN {
                let key = format!("/registry/core/pods/{writer}/{}", latencies.len());
                let before = Instant::now();
                let value = Bytes::from(vec![7; VALUE_BYTES]);
                store.create(&key, value).await.expect("the write succeeds");
                latencies.push(before.elapsed());
            }
            latencies
        }
    };
    let mut latencies = join_all((0..writers).map(write)).await.concat();
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| millis(latencies[latencies.len() * percent / 100]));
    say(format_args!("{:<12} {writers:>8} {rate:>10.0} {p50:>9} {p99:>9}", format!("{mode:?}")));
    store.close().await;
    std::fs::remove_file(path).expect("the file was made here");
}

/// A process of its own that fills a store and waits to be killed.
async fn fill(mode: CommitMode, path: &Path, megabytes: &str) {
    let megabytes: usize = megabytes.parse().expect("a number");
    let store = RedbStore::open(path, &options(mode)).expect("the store opens");
    for batch in 0..megabytes {
        let writes = (0..(1 << 20) / VALUE_BYTES).map(|i| {
            let store = &store;
            async move {
                let value = Bytes::from(vec![7; VALUE_BYTES]);
                store.create(&format!("/{batch}/{i}"), value).await.expect("the write succeeds");
            }
        });
        join_all(writes).await;
    }
    say(format_args!("filled"));
    std::future::pending::<()>().await;
}

fn reopening(mode: CommitMode, size: &str, folder: &Path) {
    let path = folder.join("killed.redb");
    let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
        .args([&format!("{mode:?}"), path.to_str().expect("a plain path"), size])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let output = child.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("the child says when it is done");
    child.kill().and_then(|()| child.wait()).expect("the child can be killed");
    let file = megabytes(&path);
    let open = || {
        let before = Instant::now();
        let store = RedbStore::open(&path, &options(mode)).expect("the store opens");
        let elapsed = before.elapsed();
        drop(store);
        millis(elapsed)
    };
    let (killed, closed) = (open(), open());
    say(format_args!("{:<12} {file:>10} {killed:>14} {closed:>14}", format!("{mode:?}")));
    std::fs::remove_file(path).expect("the file was made here");
}

/// A thousand objects updated for a while, compacted now and then as the API server does.
async fn growth(mode: CommitMode, folder: &Path) {
    let path = folder.join("growing.redb");
    let store = RedbStore::open(&path, &options(mode)).expect("the store opens");
    let value = || Bytes::from(vec![7; 4 * VALUE_BYTES]);
    for i in 0..1000 {
        store.create(&i.to_string(), value()).await.expect("the write succeeds");
    }
    for round in 0..10 {
        let updates = (0..1000_u32).map(|i| {
            let store = &store;
            async move { store.update(&i.to_string(), value(), None).await }
        });
        let done: Result<Vec<Revision>, _> = join_all(updates).await.into_iter().collect();
        let newest = done.expect("the updates succeed").into_iter().max().expect("there are some");
        store.compact(newest).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
    let grown = megabytes(&path);
    store.close().await;
    let closed = megabytes(&path);
    say(format_args!("{:<12} {:>10} {grown:>10} {closed:>10}", format!("{mode:?}"), "4.1 MB"));
    std::fs::remove_file(path).expect("the file was made here");
}
