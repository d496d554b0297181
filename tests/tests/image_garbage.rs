//! Images that nothing uses make room.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::fs;

use wk_tests::{Cluster, Options, eventually};

fn records(cluster: &Cluster) -> String {
    let folder = cluster.data_dir().join("node/images/images");
    let files = fs::read_dir(folder).unwrap().flatten();
    files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
}

/// How many programs are there in compiled form.
fn compiled(cluster: &Cluster) -> usize {
    let files = fs::read_dir(cluster.data_dir().join("node/compiled")).unwrap().flatten();
    files.filter(|file| file.path().extension().is_some_and(|end| end == "cwasm")).count()
}

#[test]
fn only_the_image_of_a_running_pod_stays_on_a_full_disk() {
    // Every disk is fuller than this.
    let arguments = ["--image-gc-high-threshold=0", "--image-gc-low-threshold=0"]
        .into_iter()
        .chain(["--minimum-image-ttl-duration=0s", "--image-gc-period=1s"])
        .map(str::to_owned)
        .collect();
    let cluster = Cluster::start_with(Options { arguments, ..Options::default() });
    let (used, unused) =
        (cluster.push_example("testguest-http"), cluster.push_example("testguest"));
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{used}\"}}\n---\napiVersion: v1\nkind: Pod\n\
         metadata: {{name: job}}\nspec:\n  restartPolicy: Never\n  containers:\n  \
         - {{name: job, image: \"{unused}\", args: [exit, '0']}}\n"
    ));
    cluster.ready_pod("web");
    cluster.pod_in_phase("job", "Succeeded");
    eventually("the image of the ended pod is gone", || {
        let records = records(&cluster);
        assert!(records.contains("tests/testguest-http"), "the running pod's image is needed");
        (!records.contains("tests/testguest:1")).then_some(())
    });
    eventually("so is the code that was compiled from it", || {
        (compiled(&cluster) == 1).then_some(())
    });
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
    // It is simply pulled again.
    cluster.kubectl(&["delete", "pod", "job"]).ok();
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: job}}\nspec:\n  restartPolicy: Never\n  \
         containers:\n  - {{name: job, image: \"{unused}\", args: [exit, '0']}}\n"
    ));
    cluster.pod_in_phase("job", "Succeeded");
}

#[test]
fn thresholds_that_cannot_be_met_are_refused() {
    let mut command = std::process::Command::new(wk_tests::wk_path());
    let folder = tempfile::tempdir().unwrap();
    command.args(["up", "--listen", "127.0.0.1:0", "--registry-listen", "127.0.0.1:0"]);
    command.args(["--image-gc-high-threshold=50", "--image-gc-low-threshold=60"]);
    command.arg("--data-dir").arg(folder.path());
    let said = wk_tests::Answer::run(command).refused();
    assert!(said.contains("`--image-gc-low-threshold 60` is above"), "{said}");
}
