//! Sending pods away for one of higher priority.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{DeleteParams, Preconditions};
use serde_json::json;
use tracing::warn;
use wk_client::{EventType, error_chain};

use super::{Writes, reference};
use crate::demand::{DISRUPTION_TARGET, Demand, PREEMPTED};

impl Writes {
    /// Tells the victims to go, each within its grace period, and takes back what was promised to
    /// pods of lower priority on that node. Returns whether all of that was written.
    pub(crate) async fn make_room(
        &self,
        pod: &Demand,
        node: &str,
        victims: &[Arc<Demand>],
        displaced: &[Arc<Demand>],
    ) -> bool {
        let mut is_done = true;
        for victim in victims {
            if let Err(error) = self.send_away(victim, pod, node).await {
                let error = error_chain(&error);
                warn!(pod = %pod.key(), victim = %victim.key(), error, "cannot preempt");
                is_done = false;
            }
        }
        for other in displaced {
            let patch = json!({
                "metadata": {"uid": other.uid},
                "status": {"nominatedNodeName": null},
            });
            if let Err(error) = self.patch_status(other, patch).await {
                let error = error_chain(&error);
                warn!(pod = %other.key(), error, "cannot clear the nominated node");
            }
        }
        is_done
    }

    async fn send_away(
        &self,
        victim: &Demand,
        pod: &Demand,
        node: &str,
    ) -> Result<(), kube::Error> {
        if !victim.is_preempted {
            let scheduler = &pod.template.scheduler;
            let message = format!("{scheduler}: preempting to accommodate a higher priority pod");
            let patch = json!({
                "metadata": {"uid": victim.uid},
                "status": {"conditions": [{
                    "type": DISRUPTION_TARGET,
                    "status": "True",
                    "reason": PREEMPTED,
                    "message": message,
                    "lastTransitionTime": wk_api::time::rfc3339(Timestamp::now()),
                }]},
            });
            self.patch_status(victim, patch).await?;
        }
        let params = DeleteParams {
            // Another pod of this name is not meant.
            preconditions: Some(Preconditions {
                uid: Some(victim.uid.to_string()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match self.pods(victim).delete(&victim.name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(error) => return Err(error),
        }
        let message = format!("Preempted by pod {} on node {node}", pod.uid);
        self.events.publish(reference(victim), EventType::Normal, "Preempted", message);
        Ok(())
    }
}
