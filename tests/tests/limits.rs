//! Limits bite, and neighbours do not feel it.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::time::{Duration, Instant};

use wk_tests::{Cluster, eventually};

fn limited(name: &str, image: &str, args: &str, limits: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  \
         containers:\n  - name: main\n    image: {image}\n    args: {args}\n    \
         resources: {{limits: {limits}}}\n"
    )
}

#[test]
fn a_guest_that_outgrows_its_memory_limit_is_oom_killed() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&limited("hog", &image, "[alloc, '256']", "{memory: 32Mi}"));
    cluster.pod_in_phase("hog", "Failed");
    let state = cluster.container_state("hog", "OOMKilled");
    assert_eq!(state["exitCode"], 137);
}

#[test]
fn a_guest_within_its_memory_limit_is_left_alone() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&limited("modest", &image, "[alloc, '16']", "{memory: 64Mi}"));
    eventually("it has its memory", || {
        let log = cluster.kubectl(&["logs", "modest"]).stdout;
        log.contains("allocated 16").then_some(())
    });
    assert_eq!(cluster.ready_pod("modest")["status"]["phase"], "Running");
}

#[test]
fn a_spinning_guest_is_held_to_its_processor_limit() {
    let mut cluster = Cluster::start();
    let image = cluster.push_example("testguest");
    cluster.apply(&limited("spin", &image, "[spin]", "{cpu: 200m}"));
    cluster.ready_pod("spin");
    let process = cluster.daemon().id();
    let (before, start) = (processor_time(process), Instant::now());
    eventually("five seconds have passed", || {
        (start.elapsed() > Duration::from_secs(5)).then_some(())
    });
    let used = processor_time(process).saturating_sub(before);
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!((0.08..0.40).contains(&share), "200m allow a fifth of a core, used {share:.2}");
}

#[test]
fn a_spinning_guest_does_not_disturb_its_neighbours() {
    let cluster = Cluster::start();
    let (spinner, web) = (cluster.push_example("testguest"), cluster.push_example("hello-http"));
    for number in 0..4 {
        cluster.apply(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: spin-{number}}}\nspec:\n  containers:\n  \
             - {{name: main, image: \"{spinner}\", args: [spin]}}\n"
        ));
    }
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{web}\"}}\n"
    ));
    for number in 0..4 {
        cluster.ready_pod(&format!("spin-{number}"));
    }
    for _ in 0..50 {
        assert_eq!(cluster.page("web", 8080, "/").status, 200);
    }
}

#[test]
fn a_request_that_spins_or_traps_fails_alone() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{image}\"}}\n"
    ));
    assert_eq!(cluster.page("web", 8080, "/trap").status, 500);
    assert_eq!(cluster.page("web", 8080, "/").status, 200);
    let log = cluster.kubectl(&["logs", "web"]).ok();
    assert!(log.contains("unreachable"), "the trap is in the log: {log}");
    let pod = cluster.ready_pod("web");
    assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[test]
fn a_server_that_outgrows_its_memory_limit_is_oom_killed_and_restarted() {
    let cluster = Cluster::start();
    let image = cluster.push_example("testguest-http");
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  \
         - {{name: web, image: \"{image}\", resources: {{limits: {{memory: 32Mi}}}}}}\n"
    ));
    let pod = cluster.ready_pod("web");
    let ip = pod["status"]["podIP"].as_str().unwrap().to_owned();
    let address = std::net::SocketAddr::new(ip.parse().unwrap(), 8080);
    // The connection may end without an answer: its server is gone.
    let _answer = wk_tests::http_get(address, "/alloc?mib=256");
    let state = cluster.container_state("web", "OOMKilled");
    assert_eq!(state["exitCode"], 137);
    eventually("it serves again", || {
        let pod = cluster.object("pod", "web")?;
        let again = pod["status"]["containerStatuses"][0]["restartCount"].as_u64()? >= 1;
        let ip = pod["status"]["podIP"].as_str()?.parse().ok()?;
        let answer = wk_tests::http_get(std::net::SocketAddr::new(ip, 8080), "/").ok()?;
        (again && answer.status == 200).then_some(())
    });
}

/// User and system time of a process so far.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // The kernel tells user space hundredths of a second on every architecture that we run on.
    Duration::from_millis(ticks * 10)
}
