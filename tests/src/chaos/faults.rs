//! What must never have happened, whatever was killed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::chaos::{Change, Gap, Seen};

/// What is known at one moment of the history.
#[derive(Default)]
struct World {
    /// Pods by uid, as last seen.
    pods: BTreeMap<String, Value>,
    /// Nodes by name.
    nodes: BTreeSet<String>,
    /// The most that each ReplicaSet (by uid) and Deployment (by uid, surge included) ever wanted.
    most: BTreeMap<String, i64>,
    /// What each ReplicaSet wants now, by the uid of its Deployment.
    sets: BTreeMap<String, BTreeMap<String, i64>>,
}

/// The rules that `history`, in order, breaks:
///
/// - a pod of a `StatefulSet` that was on a node is gone only once its containers have ended there, or
///   its node is gone: else the next pod of that name could run beside it;
/// - a `ReplicaSet` never has more live pods than it ever wanted;
/// - all sets of a Deployment together never want more than its replicas and surge ever were.
///
/// Nothing is said of the times in `gaps`, of which not every state is known.
pub fn faults(history: &[Seen], gaps: &[Gap]) -> Vec<String> {
    let mut world = World::default();
    let mut faults = Vec::new();
    for seen in history {
        let is_known = !gaps.iter().any(|(from, to)| (from..=to).contains(&&seen.revision));
        let mut faults = Judged { faults: &mut faults, counts: is_known && !seen.listed };
        match seen.kind.as_str() {
            "Node" => world.node(seen),
            "Deployment" => world.deployment(seen),
            "ReplicaSet" => faults.extend(world.replica_set(seen)),
            "Pod" => faults.extend(world.pod(seen)),
            _ => {}
        }
    }
    faults
}

/// Takes what may be judged.
struct Judged<'a> {
    faults: &'a mut Vec<String>,
    counts: bool,
}

impl Judged<'_> {
    fn extend(&mut self, found: Option<String>) {
        self.faults.extend(found.filter(|_| self.counts));
    }
}

impl World {
    fn node(&mut self, seen: &Seen) {
        match &seen.change {
            Change::Is(_) => {
                self.nodes.insert(seen.key.clone());
            }
            Change::Gone => drop(self.nodes.remove(&seen.key)),
        }
    }

    fn deployment(&mut self, seen: &Seen) {
        let Change::Is(object) = &seen.change else { return };
        let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
        let surge = &object["spec"]["strategy"]["rollingUpdate"]["maxSurge"];
        let surge = match surge.as_str().and_then(|text| text.strip_suffix('%')) {
            // A part is rounded up.
            Some(percent) => (replicas * percent.parse::<i64>().unwrap_or(0) + 99) / 100,
            None => surge.as_i64().unwrap_or(0),
        };
        let most = self.most.entry(seen.uid.clone()).or_default();
        *most = (*most).max(replicas + surge);
    }

    fn replica_set(&mut self, seen: &Seen) -> Option<String> {
        let Change::Is(object) = &seen.change else {
            for sets in self.sets.values_mut() {
                sets.remove(&seen.uid);
            }
            return None;
        };
        let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
        let most = self.most.entry(seen.uid.clone()).or_default();
        *most = (*most).max(replicas);
        let owner = controller(object)?.to_owned();
        let sets = self.sets.entry(owner.clone()).or_default();
        sets.insert(seen.uid.clone(), replicas);
        let (all, bound) = (sets.values().sum::<i64>(), *self.most.get(&owner)?);
        (all > bound).then(|| {
            format!(
                "{}: the sets of {} want {all}, and never should more than {bound}",
                at(seen),
                seen.key
            )
        })
    }

    fn pod(&mut self, seen: &Seen) -> Option<String> {
        match &seen.change {
            Change::Is(object) => {
                self.pods.insert(seen.uid.clone(), object.clone());
                let owner = controller(object)?;
                let bound = *self.most.get(owner)?;
                let of_owner = self.pods.values().filter(|pod| controller(pod) == Some(owner));
                let live = i64::try_from(of_owner.filter(|pod| is_live(pod)).count()).ok()?;
                (owner_kind(object) == "ReplicaSet" && live > bound).then(|| {
                    format!(
                        "{}: {} is one of {live}, and never wanted were more than {bound}",
                        at(seen),
                        seen.key
                    )
                })
            }
            Change::Gone => {
                let last = self.pods.remove(&seen.uid)?;
                let node = last["spec"]["nodeName"].as_str().filter(|node| !node.is_empty())?;
                let may_run = !has_ended(&last) && self.nodes.contains(node);
                (may_run && owner_kind(&last) == "StatefulSet").then(|| {
                    format!(
                        "{}: {} is gone while it may still run on {node}: {}",
                        at(seen),
                        seen.key,
                        last["status"]
                    )
                })
            }
        }
    }
}

fn at(seen: &Seen) -> String {
    format!("revision {}", seen.revision)
}

fn reference(object: &Value) -> Option<&Value> {
    let all = object["metadata"]["ownerReferences"].as_array()?;
    all.iter().find(|one| one["controller"] == true)
}

fn controller(object: &Value) -> Option<&str> {
    reference(object)?["uid"].as_str()
}

fn owner_kind(object: &Value) -> &str {
    reference(object).and_then(|one| one["kind"].as_str()).unwrap_or_default()
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        || pod["status"]["containerStatuses"]
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one["state"]["terminated"].is_object()))
}

fn is_live(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(revision: u64, kind: &str, key: &str, uid: &str, change: Change) -> Seen {
        let listed = false;
        Seen {
            revision,
            listed,
            kind: kind.to_owned(),
            key: key.to_owned(),
            uid: uid.to_owned(),
            change,
        }
    }

    fn pod(kind: &str, phase: &str) -> Change {
        let owner = json!([{"kind": kind, "uid": "owner", "controller": true}]);
        Change::Is(json!({
            "metadata": {"ownerReferences": owner},
            "spec": {"nodeName": "n"},
            "status": {"phase": phase},
        }))
    }

    const GONE: Change = Change::Gone;

    fn faults(history: &[Seen]) -> Vec<String> {
        super::faults(history, &[])
    }

    #[test]
    fn an_identity_is_free_only_when_its_containers_have_ended_or_the_node_is_gone() {
        let node = || seen(1, "Node", "n", "n", Change::Is(json!({})));
        let ran = || seen(2, "Pod", "d/db-0", "a", pod("StatefulSet", "Running"));
        let gone = || seen(4, "Pod", "d/db-0", "a", GONE);
        assert_eq!(faults(&[node(), ran(), gone()]).len(), 1);
        let ended = seen(3, "Pod", "d/db-0", "a", pod("StatefulSet", "Succeeded"));
        assert!(faults(&[node(), ran(), ended, gone()]).is_empty());
        let lost = seen(3, "Node", "n", "n", GONE);
        assert!(faults(&[node(), ran(), lost, gone()]).is_empty());
    }

    #[test]
    fn what_is_not_known_is_not_judged() {
        let node = seen(1, "Node", "n", "n", Change::Is(json!({})));
        let ran = seen(2, "Pod", "d/db-0", "a", pod("StatefulSet", "Running"));
        let gone = seen(9, "Pod", "d/db-0", "a", GONE);
        let listed = Seen { listed: true, ..gone.clone() };
        assert_eq!(super::faults(&[node.clone(), ran.clone(), gone.clone()], &[(3, 8)]).len(), 1);
        assert!(super::faults(&[node.clone(), ran.clone(), gone], &[(8, 9)]).is_empty());
        assert!(super::faults(&[node, ran, listed], &[]).is_empty());
    }

    #[test]
    fn sets_keep_to_their_bounds() {
        let set = |revision, replicas: i64| {
            let owner = json!([{"kind": "Deployment", "uid": "d", "controller": true}]);
            let object =
                json!({"metadata": {"ownerReferences": owner}, "spec": {"replicas": replicas}});
            seen(revision, "ReplicaSet", "d/web-1", "owner", Change::Is(object))
        };
        let deployment = seen(
            1,
            "Deployment",
            "d/web",
            "d",
            Change::Is(json!({"spec": {
                "replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
            }})),
        );
        let pods = |count: u64| {
            (0..count).map(|number| {
                let uid = number.to_string();
                seen(10 + number, "Pod", &uid, &uid, pod("ReplicaSet", "Running"))
            })
        };
        let history = |replicas, count| {
            let first = [deployment.clone(), set(2, replicas)];
            faults(&first.into_iter().chain(pods(count)).collect::<Vec<_>>())
        };
        assert!(history(4, 4).is_empty());
        assert_eq!(history(4, 5).len(), 1, "a pod too many");
        assert_eq!(history(5, 5).len(), 1, "more than replicas and surge");
    }
}
