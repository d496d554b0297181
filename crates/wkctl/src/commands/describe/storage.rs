//! Volumes, claims to them, and where they come from.

use serde_json::Value;

use super::template::{is_true, items, or, time, value};
use super::text::Text;
use super::{Related, head, metadata, selector};
use crate::commands::events::age;
use crate::kinds::text;
use crate::output::jsonpath::plain;

/// Access modes as people abbreviate them.
fn modes(object: &Value, pointer: &str) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO".to_owned(),
        Some("ReadOnlyMany") => "ROX".to_owned(),
        Some("ReadWriteMany") => "RWX".to_owned(),
        Some("ReadWriteOncePod") => "RWOP".to_owned(),
        _ => plain(mode),
    };
    let all: Vec<String> = items(object, pointer).map(short).collect();
    all.join(",")
}

fn phase(object: &Value) -> String {
    match text(object, "/metadata/deletionTimestamp") {
        "" => text(object, "/status/phase").to_owned(),
        since => format!("Terminating (lasts {})", age(wk_api::parse_time(since))),
    }
}

fn finalizers(object: &Value) -> String {
    let all: Vec<String> = items(object, "/metadata/finalizers").map(plain).collect();
    format!("[{}]", all.join(" "))
}

pub(super) fn claim(out: &mut Text, object: &Value, related: &Related) {
    head(out, object);
    out.pair(0, "StorageClass:", text(object, "/spec/storageClassName"));
    out.pair(0, "Status:", phase(object));
    let volume = text(object, "/spec/volumeName");
    out.pair(0, "Volume:", volume);
    metadata(out, object);
    out.pair(0, "Finalizers:", finalizers(object));
    let bound = !volume.is_empty();
    let capacity = match value(object, "/status/capacity/storage") {
        _ if !bound => String::new(),
        unknown if unknown.is_empty() => "0".to_owned(),
        capacity => capacity,
    };
    out.pair(0, "Capacity:", capacity);
    let shown = if bound { modes(object, "/status/accessModes") } else { String::new() };
    out.pair(0, "Access Modes:", shown);
    out.pair_if(0, "VolumeMode:", text(object, "/spec/volumeMode"));
    if let Some(source) = object.pointer("/spec/dataSource") {
        out.line(0, "DataSource:");
        out.pair_if(1, "APIGroup:", text(source, "/apiGroup"));
        out.pair(1, "Kind:", text(source, "/kind"));
        out.pair(1, "Name:", text(source, "/name"));
    }
    let pods: Vec<&str> = related.pods.iter().map(|pod| text(pod, "/metadata/name")).collect();
    out.list(0, "Used By:", &pods);
    if items(object, "/status/conditions").next().is_some() {
        out.line(0, "Conditions:");
        out.header(
            1,
            &["Type", "Status", "LastProbeTime", "LastTransitionTime", "Reason", "Message"],
        );
        for one in items(object, "/status/conditions") {
            out.line(
                1,
                format!(
                    "{} \t{} \t{} \t{} \t{} \t{}",
                    text(one, "/type"),
                    text(one, "/status"),
                    time(one, "/lastProbeTime"),
                    time(one, "/lastTransitionTime"),
                    text(one, "/reason"),
                    text(one, "/message")
                ),
            );
        }
    }
}

/// Whether a pod uses a claim.
pub(super) fn uses(pod: &Value, claim: &str) -> bool {
    let pod_name = text(pod, "/metadata/name");
    items(pod, "/spec/volumes").any(|volume| {
        text(volume, "/persistentVolumeClaim/claimName") == claim
            || (volume.get("ephemeral").is_some()
                && format!("{pod_name}-{}", text(volume, "/name")) == claim)
    })
}

pub(super) fn volume(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    metadata(out, object);
    out.pair(0, "Finalizers:", finalizers(object));
    out.pair(0, "StorageClass:", text(object, "/spec/storageClassName"));
    out.pair(0, "Status:", phase(object));
    let claim = match object.pointer("/spec/claimRef") {
        Some(claim) => format!("{}/{}", text(claim, "/namespace"), text(claim, "/name")),
        None => String::new(),
    };
    out.pair(0, "Claim:", claim);
    out.pair(0, "Reclaim Policy:", text(object, "/spec/persistentVolumeReclaimPolicy"));
    out.pair(0, "Access Modes:", modes(object, "/spec/accessModes"));
    out.pair_if(0, "VolumeMode:", text(object, "/spec/volumeMode"));
    out.pair(0, "Capacity:", value(object, "/spec/capacity/storage"));
    match object.pointer("/spec/nodeAffinity/required/nodeSelectorTerms") {
        None => out.pair(0, "Node Affinity:", "<none>"),
        Some(terms) => {
            out.pair(0, "Node Affinity:", "");
            out.pair(1, "Required Terms:", "");
            for (index, term) in items(terms, "").enumerate() {
                affinity(out, index, term);
            }
        }
    }
    out.pair(0, "Message:", text(object, "/status/message"));
    out.line(0, "Source:");
    super::volume::describe(out, object.get("spec").unwrap_or(&Value::Null));
}

fn affinity(out: &mut Text, index: usize, term: &Value) {
    let lines: Vec<String> = items(term, "/matchExpressions")
        .chain(items(term, "/matchFields"))
        .map(|one| {
            let values: Vec<String> = items(one, "/values").map(plain).collect();
            let values =
                if values.is_empty() { String::new() } else { format!(" [{}]", values.join(", ")) };
            format!("{} {}{values}", text(one, "/key"), text(one, "/operator").to_lowercase())
        })
        .collect();
    out.list(2, &format!("Term {index}:"), &lines);
}

pub(super) fn class(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", text(object, "/metadata/name"));
    let annotations = object.pointer("/metadata/annotations");
    let default = annotations
        .and_then(|all| all.get("storageclass.kubernetes.io/is-default-class"))
        .is_some_and(|value| value == "true");
    out.pair(0, "IsDefaultClass:", if default { "Yes" } else { "No" });
    out.line(0, format!("Annotations:\t{}", selector(annotations)));
    out.pair(0, "Provisioner:", text(object, "/provisioner"));
    out.pair(0, "Parameters:", selector(object.get("parameters")));
    let expands = match object.get("allowVolumeExpansion") {
        None => "<unset>",
        Some(_) if is_true(object, "/allowVolumeExpansion") => "True",
        Some(_) => "False",
    };
    out.pair(0, "AllowVolumeExpansion:", expands);
    if items(object, "/mountOptions").next().is_none() {
        out.pair(0, "MountOptions:", "<none>");
    } else {
        out.line(0, "MountOptions:");
        items(object, "/mountOptions").for_each(|option| out.line(1, plain(option)));
    }
    out.pair_if(0, "ReclaimPolicy:", or(text(object, "/reclaimPolicy"), ""));
    out.pair_if(0, "VolumeBindingMode:", text(object, "/volumeBindingMode"));
}
