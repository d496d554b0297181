//! Logs are bounded, and who follows them misses nothing.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wk_tests::{Cluster, Daemon, Options, eventually, kubectl_path};

fn start(size: &str, files: &str) -> Cluster {
    let arguments = ["--container-log-max-size", size, "--container-log-max-files", files];
    let arguments = arguments.map(str::to_owned).to_vec();
    Cluster::start_with(Options { arguments, ..Options::default() })
}

/// The folder of the logs of the only container of the only pod.
fn logs(cluster: &Cluster, container: &str) -> PathBuf {
    let root = cluster.data_dir().join("node/logs/pods");
    let pod = fs::read_dir(root).unwrap().next().unwrap().unwrap();
    pod.path().join(container)
}

/// Names and sizes of the files in a folder; those that rotation removes meanwhile are left out.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let size = entry.metadata().ok()?.len();
            Some((entry.file_name().into_string().ok()?, size))
        })
        .collect();
    files.sort();
    files
}

fn newest_rotated(files: &[(String, u64)]) -> u64 {
    files
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("0.log.")?.parse().ok())
        .max()
        .unwrap_or(0)
}

#[test]
fn output_without_line_ends_at_full_speed_does_not_fill_the_disk() {
    let cluster = start("256Ki", "3");
    let image = cluster.push_example("testguest");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: flood}}\nspec:\n  containers:\n  \
         - {{name: main, image: \"{image}\", args: [flood]}}\n"
    ));
    cluster.ready_pod("flood");
    let folder = logs(&cluster, "main");
    eventually("the log was rotated many times", || {
        let files = files(&folder);
        assert!(files.len() <= 4, "three files, and the one that is on its way out: {files:?}");
        for (name, size) in &files {
            assert!(*size <= 256 << 10, "{name} has {size} bytes");
        }
        (newest_rotated(&files) >= 50).then_some(())
    });
    eventually("the newest file is not empty, as it is for a moment after each rotation", || {
        let head = cluster.kubectl(&["logs", "flood", "--limit-bytes=100"]).ok();
        (head == "x".repeat(100)).then_some(())
    });
}

#[test]
fn who_follows_a_log_sees_every_line_across_rotations() {
    let cluster = start("2Ki", "3");
    let image = cluster.push_example("testguest-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    cluster.ready_pod("web");
    let output = cluster.scratch().join("followed");
    let mut command = Command::new(kubectl_path());
    command.arg("--kubeconfig").arg(cluster.kubeconfig()).args(["logs", "-f", "web"]);
    let mut follower = Daemon::start(command, &output);
    // Each of these writes some lines; the next one comes when they were seen.
    let traps = 30;
    for number in 1..=traps {
        assert_eq!(cluster.page("web", 8080, "/trap").status, 500);
        eventually(&format!("the lines of request {number} are seen"), || {
            assert!(follower.is_running(), "the log ended: {}", follower.output());
            let seen = follower.output().matches("request failed:").count();
            (seen >= number).then_some(())
        });
    }
    let rotated = newest_rotated(&files(&logs(&cluster, "web")));
    assert!(rotated >= 3, "the log was rotated {rotated} times only");
    let seen = follower.output().matches("request failed:").count();
    assert_eq!(seen, traps, "no line is seen twice");
    cluster.kubectl(&["delete", "pod", "web"]).ok();
    follower.wait();
    let folder = cluster.data_dir().join("node/logs/pods");
    eventually("the logs are gone with the pod", || {
        (fs::read_dir(&folder).unwrap().count() == 0).then_some(())
    });
}

#[test]
fn only_the_last_two_runs_have_logs() {
    let cluster = start("1Ki", "3");
    let image = cluster.push_example("testguest");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: again}}\nspec:\n  containers:\n  \
         - {{name: main, image: \"{image}\", args: [print, '200']}}\n"
    ));
    eventually("the container has run three times", || {
        let pod = cluster.object("pod", "again")?;
        let count = pod["status"]["containerStatuses"][0]["restartCount"].as_u64()?;
        (count >= 2).then_some(())
    });
    let folder = logs(&cluster, "main");
    eventually("the log of the first run is gone, with all its files", || {
        let first = files(&folder).into_iter().filter(|(name, _)| name.starts_with("0.log"));
        (first.count() == 0).then_some(())
    });
    let previous = cluster.kubectl(&["logs", "again", "--previous"]).ok();
    assert!(previous.contains("line 200\n"), "{previous}");
}
