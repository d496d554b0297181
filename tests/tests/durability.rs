//! Nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use wk_tests::{Cluster, eventually};

const WRITERS: usize = 4;
const ENOUGH: usize = 60;

#[test]
fn every_acknowledged_object_survives_kill_9_and_the_pods_run_again() {
    let mut cluster = Cluster::start();
    let image = cluster.push_example("hello-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    cluster.ready_pod("web");
    let before = cluster.object("pod", "web").unwrap()["metadata"]["uid"].clone();

    for round in 0..3 {
        let acknowledged = Mutex::new(BTreeSet::new());
        let killed = AtomicBool::new(false);
        let process = cluster.daemon().id();
        std::thread::scope(|scope| {
            let (acknowledged, killed, cluster) = (&acknowledged, &killed, &cluster);
            for writer in 0..WRITERS {
                scope.spawn(move || {
                    for number in 0.. {
                        if killed.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("kept-{round}-{writer}-{number}");
                        let answer =
                            cluster.wkctl(&["create", "configmap", &name, "--from-literal=a=b"]);
                        if answer.code == 0 {
                            acknowledged.lock().unwrap().insert(name);
                        }
                    }
                });
            }
            eventually("enough was written", || {
                (acknowledged.lock().unwrap().len() >= ENOUGH).then_some(())
            });
            let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
            rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
            killed.store(true, Ordering::Relaxed);
        });
        cluster.crash_and_restart();
        let names = cluster.kubectl(&["get", "configmaps", "-o", "name"]).ok();
        let stored: BTreeSet<&str> =
            names.lines().filter_map(|line| line.strip_prefix("configmap/")).collect();
        for name in acknowledged.into_inner().unwrap() {
            assert!(stored.contains(name.as_str()), "`{name}` was acknowledged and is lost");
        }
    }
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
    let after = cluster.object("pod", "web").unwrap()["metadata"]["uid"].clone();
    assert_eq!(before, after, "it is the same pod");
}
