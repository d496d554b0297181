//! The containers and pods that are made to look into others.

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::{Value, json};

use super::profile::{Keep, Profile, Style, on_container};

/// What the command line says about the container.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) image: Option<&'a str>,
    pub(super) pull_policy: Option<&'a str>,
    pub(super) command: &'a [String],
    /// Whether `command` is what is passed to the image's own program.
    pub(super) arguments_only: bool,
    pub(super) env: Vec<Value>,
    pub(super) stdin: bool,
    pub(super) tty: bool,
    pub(super) profile: Profile,
    pub(super) keep: Keep,
    /// Fields of the container that go beyond the profile.
    pub(super) custom: Option<Value>,
}

/// What the command line says about a copy.
#[derive(Debug)]
pub(super) struct CopyOf<'a> {
    pub(super) name: &'a str,
    /// By container; `*` is every other one.
    pub(super) images: BTreeMap<String, String>,
    pub(super) same_node: bool,
    pub(super) share_processes: Option<bool>,
}

impl Wanted<'_> {
    fn fill(&self, container: &mut Value) {
        if !self.command.is_empty() {
            let field = if self.arguments_only { "args" } else { "command" };
            container[field] = json!(self.command);
            if !self.arguments_only
                && let Some(fields) = container.as_object_mut()
            {
                fields.remove("args");
            }
        }
        if !self.env.is_empty() {
            container["env"] = json!(self.env);
        }
        if let Some(image) = self.image {
            container["image"] = json!(image);
        }
        if let Some(policy) = self.pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        for (field, wanted) in [("stdin", self.stdin), ("tty", self.tty)] {
            match container.as_object_mut() {
                Some(fields) if !wanted => _ = fields.remove(field),
                _ => container[field] = json!(wanted),
            }
        }
    }

    /// Applies the profile, and what was said beyond it.
    fn finish(&self, style: Style, pod: &mut Value, name: &str) -> anyhow::Result<()> {
        self.profile.apply(style, pod, name, self.keep);
        let Some(custom) = &self.custom else { return Ok(()) };
        let message = wk_schema::message("io.k8s.api.core.v1.Container");
        let message = message.expect("the schema has containers");
        let mut merged = Ok(());
        on_container(pod, name, |container| {
            match wk_patch::strategic::apply(container.take(), custom.clone(), message) {
                Ok(better) => *container = better,
                Err(error) => merged = Err(error),
            }
        });
        Ok(merged?)
    }

    /// The pod with one more ephemeral container.
    pub(super) fn beside(&self, pod: &Value, name: &str, target: &str) -> anyhow::Result<Value> {
        let mut pod = pod.clone();
        let mut container = fresh(name);
        self.fill(&mut container);
        if !target.is_empty() {
            container["targetContainerName"] = json!(target);
        }
        let mut all = pod["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
        all.push(container);
        pod["spec"]["ephemeralContainers"] = all.into();
        self.finish(Style::Ephemeral, &mut pod, name)?;
        Ok(pod)
    }

    /// A copy of a pod, and the container of it to talk to, if there is one. `name` makes up the name
    /// of a new one, if that was not said.
    pub(super) fn copy(
        &self,
        pod: &Value,
        copy: &CopyOf<'_>,
        container: &str,
        name: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<(Value, Option<String>)> {
        let mut made = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": copy.name},
            "spec": pod["spec"],
        });
        for field in ["annotations", "labels", "namespace"] {
            if !pod["metadata"][field].is_null() {
                made["metadata"][field] = pod["metadata"][field].clone();
            }
        }
        if let Some(spec) = made["spec"].as_object_mut() {
            spec.remove("ephemeralContainers");
            if !copy.same_node {
                spec.remove("nodeName");
            }
        }
        if let Some(share) = copy.share_processes {
            made["spec"]["shareProcessNamespace"] = json!(share);
        }
        let containers = made.pointer_mut("/spec/containers").and_then(Value::as_array_mut);
        for one in containers.into_iter().flatten() {
            let own = one["name"].as_str().and_then(|name| copy.images.get(name));
            if let Some(image) = own.or_else(|| copy.images.get("*")) {
                one["image"] = json!(image);
            }
        }
        let mut found = false;
        if !container.is_empty() {
            on_container(&mut made, container, |_| found = true);
        }
        let mut chosen = container.to_owned();
        if !found {
            if self.image.is_none() {
                if copy.images.is_empty() {
                    bail!("you must specify image when creating new container");
                }
                return Ok((made, None));
            }
            if chosen.is_empty() {
                chosen = name()?;
            }
            let mut all = made["spec"]["containers"].as_array().cloned().unwrap_or_default();
            all.push(fresh(&chosen));
            made["spec"]["containers"] = all.into();
        }
        on_container(&mut made, &chosen, |one| self.fill(one));
        self.finish(Style::Copy, &mut made, &chosen)?;
        Ok((made, Some(chosen)))
    }

    /// A pod on a node.
    pub(super) fn on_node(&self, node: &str, name: &str, container: &str) -> anyhow::Result<Value> {
        let mut only = fresh(container);
        self.fill(&mut only);
        let mut pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-debug"},
            },
            "spec": {
                "containers": [only],
                "nodeName": node,
                "restartPolicy": "Never",
                "tolerations": [{"operator": "Exists"}],
            },
        });
        self.finish(Style::Node, &mut pod, container)?;
        Ok(pod)
    }
}

fn fresh(name: &str) -> Value {
    json!({"name": name, "resources": {}, "terminationMessagePolicy": "File"})
}

/// Whether a container that is given something beyond what others may do has to do without it,
/// because of the user that its pod sets for all.
pub(super) fn is_held_back(pod: &Value, name: &str) -> bool {
    let user = pod.pointer("/spec/securityContext/runAsUser").and_then(Value::as_i64);
    let mut pod = pod.clone();
    let mut needs_root = false;
    on_container(&mut pod, name, |one| {
        let context = &one["securityContext"];
        let is_given = !context["capabilities"]["add"].is_null() || context["privileged"] == true;
        needs_root = is_given && context["runAsUser"].is_null();
    });
    user.is_some_and(|user| user != 0) && needs_root
}
