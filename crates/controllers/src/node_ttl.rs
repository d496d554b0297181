//! Tells kubelets for how long they may keep what they have read: the longer the more nodes there are.
//!
//! Spec: <https://kubernetes.io/docs/reference/labels-annotations-taints/#node-alpha-kubernetes-io-ttl>

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::json;
use wk_client::{Outcome, WorkQueue};

use crate::watched::TTL_ANNOTATION;
use crate::{Shell, unless_gone};

/// Nodes from, nodes to, seconds. They overlap, so that a node more or less does not change all.
const STEPS: [(usize, usize, u32); 5] =
    [(0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, usize::MAX, 300)];

pub(crate) fn run(client: Client, shell: &Shell) {
    let queue = WorkQueue::<String>::default();
    let step = Arc::new(Mutex::new(0));
    let (from_node, seen, of_all) = (queue.clone(), shell.watched.nodes.clone(), Arc::clone(&step));
    shell.watched.nodes.on_change(move |key| {
        let now = {
            let mut step = of_all.lock();
            let before = *step;
            *step = next(before, seen.len());
            (*step != before).then_some(*step)
        };
        match now {
            Some(_) => seen.keys().into_iter().for_each(|key| from_node.add(key.name)),
            None => from_node.add(key.name.clone()),
        }
    });
    let nodes = shell.watched.nodes.clone();
    shell.run("ttl", &queue, 4, move |name| {
        let (client, nodes, step) = (client.clone(), nodes.clone(), Arc::clone(&step));
        async move {
            // Only now: this begins when this replica leads, which may be long after it was asked for.
            let (node, ttl) = (nodes.get_cluster(&name), STEPS[*step.lock()].2.to_string());
            if node.is_none_or(|node| node.ttl.as_deref() == Some(&*ttl)) {
                return Ok(Outcome::Done);
            }
            let patch = Patch::Merge(json!({"metadata": {"annotations": {TTL_ANNOTATION: ttl}}}));
            let params = PatchParams::default();
            unless_gone(Api::<Node>::all(client).patch(&name, &params, &patch).await)?;
            Ok(Outcome::Done)
        }
    });
}

/// The step for so many nodes, coming from a step.
fn next(mut step: usize, nodes: usize) -> usize {
    while nodes > STEPS[step].1 {
        step += 1;
    }
    while nodes < STEPS[step].0 {
        step -= 1;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_grows_with_the_cluster_and_does_not_swing() {
        let mut step = 0;
        let mut seconds = |nodes| {
            step = next(step, nodes);
            STEPS[step].2
        };
        let nodes = [1, 100, 101, 95, 90, 89, 3000, 1800, 1799, 0];
        assert_eq!(nodes.map(&mut seconds), [0, 0, 15, 15, 15, 0, 300, 300, 60, 0]);
    }
}
