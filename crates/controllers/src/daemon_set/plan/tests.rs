//! Nodes and pods are written as words, plans are read as words.

use serde_json::{Value, json};

use super::*;

const NEW: &str = "new";

/// A pod as `node` followed by marks: `o` of an older template, `!` not ready, `~` ending, `-` not
/// bound yet, `F` failed, `S` succeeded, and a number, which is when it was made.
fn pod(word: &str) -> Arc<PodView> {
    let node = &word[..1];
    let mut pod = PodView::sample(word);
    pod.node = Some(node.to_owned());
    let mut hash = NEW;
    for mark in word[1..].chars() {
        match mark {
            'o' => hash = "old",
            '!' => pod.ready_since = None,
            '~' => pod = pod.with_meta(|meta| meta.is_terminating = true),
            '-' => {
                pod.pinned = pod.node.take().map(Into::into);
                pod.ready_since = None;
            }
            'F' => pod.phase = Phase::Failed,
            'S' => pod.phase = Phase::Succeeded,
            digit => pod.created = Timestamp::from_second(i64::from(digit as u32)).ok(),
        }
    }
    pod.labels.insert(CONTROLLER_REVISION_HASH_LABEL.to_owned(), hash.to_owned());
    Arc::new(pod)
}

/// A node as its name; `+` lets pods stay and takes no more, `x` is for none.
fn node(word: &str) -> Arc<NodeView> {
    let taint = |effect: &str| k8s_openapi::api::core::v1::Taint {
        key: "t".to_owned(),
        effect: effect.to_owned(),
        ..k8s_openapi::api::core::v1::Taint::default()
    };
    let taints = match &word[1..] {
        "+" => vec![taint("NoSchedule")],
        "x" => vec![taint("NoExecute")],
        _ => Vec::new(),
    };
    Arc::new(NodeView { name: word[..1].to_owned(), taints, ..NodeView::default() })
}

#[expect(clippy::needless_pass_by_value, reason = "rows read better")]
fn set(strategy: Value) -> DaemonSet {
    serde_json::from_value(json!({
        "metadata": {"name": "d", "generation": 3},
        "spec": {
            "selector": {},
            "template": {"spec": {"containers": []}},
            "updateStrategy": strategy,
        },
    }))
    .unwrap()
}

fn rolling(surge: i32, unavailable: i32) -> Value {
    json!({
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    })
}

fn planned(strategy: Value, nodes: &str, pods: &str, waiting: &[&str]) -> Plan {
    let set = set(strategy);
    let nodes: Vec<_> = nodes.split_whitespace().map(node).collect();
    let pods: Vec<_> = pods.split_whitespace().map(pod).collect();
    let waiting = waiting.iter().map(|node| ((*node).to_owned(), Duration::from_secs(7))).collect();
    plan(&Observed {
        set: &set,
        hash: NEW,
        nodes: &nodes,
        pods: &pods,
        waiting: &waiting,
        now: Timestamp::from_second(1000).unwrap(),
    })
}

fn words(plan: &Plan) -> String {
    let made = plan.create.iter().map(|node| format!("+{node}"));
    let gone = plan.delete.iter().map(|pod| format!("-{}", pod.name));
    made.chain(gone).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check(case: &str, strategy: Value, nodes: &str, pods: &str, expected: &str) {
    assert_eq!(words(&planned(strategy, nodes, pods, &[])), expected, "{case}");
}

#[test]
fn every_fitting_node_has_one_pod() {
    let on_delete = || json!({"type": "OnDelete"});
    check("one is missing", on_delete(), "a b", "a", "+b");
    check("all are there", on_delete(), "a b", "a b-", "");
    check("one is ending: its node waits", on_delete(), "a", "a~", "");
    check("one has ended and is going", on_delete(), "a", "aF~", "+a");
    check("a node takes no more", on_delete(), "a+ b+", "a", "");
    check("a node takes none", on_delete(), "ax", "a a~", "-a");
    check("two on a node: the older stays", on_delete(), "a", "a2 a1", "-a2");
    check("two on a node: the one that is there stays", on_delete(), "a", "a1- a2", "-a1-");
    check("its node is gone", on_delete(), "a", "a z z-", "-z-");
    check("it succeeded", on_delete(), "a", "aS", "-aS");
    check("an old one stays until it is deleted", on_delete(), "a", "ao", "");
}

#[test]
fn failed_pods_are_replaced_with_patience() {
    let plan = planned(rolling(0, 1), "a b", "aF bF", &["b"]);
    assert_eq!(words(&plan), "-aF");
    assert_eq!(plan.ended.len(), 1);
    assert_eq!(plan.again, Some(Duration::from_secs(7)));
    let plan = planned(rolling(0, 1), "a b", "aF bF", &["a", "b"]);
    assert_eq!(words(&plan), "");
}

#[test]
fn a_rollout_in_place_keeps_enough_available() {
    check("one at a time", rolling(0, 1), "a b c", "ao bo co", "-ao");
    check("two at a time", rolling(0, 2), "a b c", "ao bo co", "-ao -bo");
    check("one is on its way", rolling(0, 1), "a b c", "a! bo co", "");
    check("one is ending", rolling(0, 1), "a b c", "a~ bo co", "");
    check("what is broken goes first", rolling(0, 1), "a b c", "ao bo! co", "-bo!");
    check("what is broken goes in any case", rolling(0, 1), "a b", "a! bo!", "-bo!");
    check("a missing one comes first", rolling(0, 1), "a b", "bo", "+a");
    check("done", rolling(0, 1), "a b", "a b", "");
    let share = json!({
        "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "40%"},
    });
    check("a share is rounded up", share, "a b c", "ao bo co", "-ao -bo");
    check("nothing may be missing: one is", rolling(0, 0), "a b", "ao bo", "-ao");
}

#[test]
fn a_surge_makes_the_new_pod_first() {
    check("one more", rolling(1, 0), "a b", "ao1 bo1", "+a");
    check("not ready yet", rolling(1, 0), "a b", "ao1 a2! bo1", "");
    check("available: the old one goes", rolling(1, 0), "a b", "ao1 a2 bo1", "-ao1");
    check("the old one is broken", rolling(1, 0), "a b", "ao1! bo1", "+a +b");
    check("both are broken: the new one stays", rolling(1, 0), "a", "ao1! a2!", "-ao1!");
    check("too many of one kind", rolling(1, 0), "a", "ao1 ao2 a3!", "-ao2");
    check("where none would be made", rolling(1, 0), "a+ b", "ao1 b", "-ao1");
    check("but not before the other", rolling(1, 0), "a+ b", "ao1 b!", "");
}

#[test]
fn the_status_counts_nodes() {
    let status = planned(rolling(0, 1), "a b c d+ ex", "a bo! d e~", &[]).status;
    let expected = json!({
        "desiredNumberScheduled": 3, "currentNumberScheduled": 2, "numberMisscheduled": 2,
        "numberReady": 1, "numberAvailable": 1, "numberUnavailable": 2,
        "updatedNumberScheduled": 1, "observedGeneration": 3,
    });
    assert_eq!(serde_json::to_value(status).unwrap(), expected);
}

#[test]
fn a_pod_counts_as_available_after_its_time() {
    let mut set = set(rolling(0, 1));
    set.spec.as_mut().unwrap().min_ready_seconds = Some(1010);
    let (nodes, pods, waiting) = ([node("a")], [pod("a")], HashMap::new());
    let observed = |seconds| Observed {
        set: &set,
        hash: NEW,
        nodes: &nodes,
        pods: &pods,
        waiting: &waiting,
        now: Timestamp::from_second(seconds).unwrap(),
    };
    let early = plan(&observed(1000));
    assert_eq!((early.status.number_available, early.again), (None, Some(Duration::from_secs(10))));
    let late = plan(&observed(1010));
    assert_eq!((late.status.number_available, late.again), (Some(1), None));
}

#[test]
fn no_more_than_a_burst_is_made_at_once() {
    let nodes: Vec<_> = (0..600)
        .map(|number| Arc::new(NodeView { name: format!("n{number}"), ..NodeView::default() }))
        .collect();
    let set = set(rolling(0, 1));
    let plan = plan(&Observed {
        set: &set,
        hash: NEW,
        nodes: &nodes,
        pods: &[],
        waiting: &HashMap::new(),
        now: Timestamp::UNIX_EPOCH,
    });
    assert_eq!(plan.create.len(), BURST);
}
