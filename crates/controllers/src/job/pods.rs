//! The pods of a Job.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodSpec,
};

use super::plan::{FINALIZER, NewPod};
use crate::pod_control::PodControl;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// A pod of `job`; `None` if the Job has no specification.
pub(super) fn pod(control: &PodControl, job: &Job, new: &NewPod) -> Option<Pod> {
    let spec = job.spec.as_ref()?;
    let mut pod = control.pod(&job.metadata, &spec.template);
    pod.metadata.finalizers.get_or_insert_default().push(FINALIZER.to_owned());
    let Some(index) = new.index else { return Some(pod) };
    let name = format!("{}-{index}", job.metadata.name.as_deref().unwrap_or_default());
    pod.metadata.generate_name = Some(format!("{name}-"));
    let note = |map: &mut Option<BTreeMap<String, String>>, key: &str, value: u32| {
        map.get_or_insert_default().insert(key.to_owned(), value.to_string());
    };
    note(&mut pod.metadata.labels, INDEX, index);
    note(&mut pod.metadata.annotations, INDEX, index);
    if let Some((failures, ignored)) = new.failures {
        let annotations = &mut pod.metadata.annotations;
        note(annotations, "batch.kubernetes.io/job-index-failure-count", failures);
        if ignored > 0 {
            note(annotations, "batch.kubernetes.io/job-index-ignored-failure-count", ignored);
        }
    }
    if let Some(spec) = &mut pod.spec {
        tell_index(spec);
        spec.hostname.get_or_insert(name);
    }
    Some(pod)
}

/// Gives all containers their index as a variable.
fn tell_index(spec: &mut PodSpec) {
    let inits = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(inits) {
        let Container { env, .. } = container;
        let env = env.get_or_insert_default();
        if env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
            continue;
        }
        env.push(EnvVar {
            name: INDEX_VARIABLE.to_owned(),
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    field_path: format!("metadata.labels['{INDEX}']"),
                    ..ObjectFieldSelector::default()
                }),
                ..EnvVarSource::default()
            }),
            ..EnvVar::default()
        });
    }
}
