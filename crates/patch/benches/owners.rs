//! What it costs to write down who owns the fields of an object.
//!
//! `cargo bench -p wk-patch` prints microseconds for a create and for an update of the status.

use std::hint::black_box;
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Value, json};
use wk_patch::apply::{self, Context, FieldSet};

/// How often each operation is done.
const ROUNDS: u32 = 20_000;

fn main() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "tier": "a"}},
        "spec": {
            "containers": [{
                "name": "main", "image": "example.test/web:1", "imagePullPolicy": "IfNotPresent",
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {},
            "terminationGracePeriodSeconds": 30,
            "volumes": [{"name": "data", "emptyDir": {}}],
        },
        "status": {"phase": "Pending"},
    });
    let message = wk_schema::kind("", "v1", "Pod");
    let ignored = FieldSet::of_fields(&[&["status"]]);
    let now = "2026-01-02T03:04:05Z";
    let context = Context {
        message,
        manager: "kubectl-create",
        api_version: "v1",
        subresource: "",
        now,
        ignored: &ignored,
    };
    let clone = measured(|| black_box(pod.clone()));
    let create = measured(|| {
        let mut new = pod.clone();
        apply::create(&context, &mut new);
        new
    });
    let mut live = pod.clone();
    apply::create(&context, &mut live);
    let ignored = FieldSet::of_fields(&[&["spec"]]);
    let status =
        Context { subresource: "status", manager: "kubelet", ignored: &ignored, ..context };
    let mut new = live.clone();
    new["status"] = json!({
        "phase": "Running", "podIP": "10.0.0.1",
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    let update = measured(|| apply::update(&status, Some(&live), new.clone()));
    say("clone of the object", clone);
    say("create", create - clone);
    say("update of the status", update - clone);
}

/// Microseconds for one call.
fn measured(mut operation: impl FnMut() -> Value) -> f64 {
    let begun = SystemTime::now();
    for _ in 0..ROUNDS {
        black_box(operation());
    }
    let taken = begun.elapsed().map_or(0.0, |taken| taken.as_secs_f64());
    taken * 1e6 / f64::from(ROUNDS)
}

fn say(what: &str, microseconds: f64) {
    // Nobody to tell if the terminal is gone.
    let _ = writeln!(std::io::stdout(), "{what:<24} {microseconds:>8.1} µs");
}
