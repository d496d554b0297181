//! `create deployment`, `job` and `cronjob`.

use std::hash::{BuildHasher as _, RandomState};

use anyhow::bail;
use serde_json::{Value, json};

use super::{CreateOptions, Made};
use crate::commands::select;
use crate::kinds::text;
use crate::session::Session;
use crate::target::targets;

/// Arguments of `create deployment`.
#[derive(Debug, clap::Args)]
pub(crate) struct DeploymentArgs {
    name: String,
    /// Image of a container; several make several
    #[arg(long = "image", value_name = "IMAGE", required = true, value_delimiter = ',')]
    images: Vec<String>,
    /// Port that the first container serves
    #[arg(long)]
    port: Option<u16>,
    /// How many pods there are to be
    #[arg(short, long, value_name = "COUNT", default_value_t = 1)]
    replicas: u32,
    #[command(flatten)]
    options: CreateOptions,
    /// Command of the container
    #[arg(last = true)]
    command: Vec<String>,
}

/// Arguments of `create job`.
#[derive(Debug, clap::Args)]
pub(crate) struct JobArgs {
    name: String,
    /// Image of the container
    #[arg(long)]
    image: Option<String>,
    /// Cron job whose template is used, as `cronjob/NAME`
    #[arg(long, value_name = "CRONJOB")]
    from: Option<String>,
    #[command(flatten)]
    options: CreateOptions,
    /// Command of the container
    #[arg(last = true)]
    command: Vec<String>,
}

/// Arguments of `create cronjob`.
#[derive(Debug, clap::Args)]
pub(crate) struct CronJobArgs {
    name: String,
    /// Image of the container
    #[arg(long, required = true)]
    image: String,
    /// When to run, as in a crontab
    #[arg(long, value_name = "CRON", required = true)]
    schedule: String,
    /// When to start the container again: `OnFailure` or `Never`
    #[arg(long, value_name = "POLICY", default_value = "OnFailure")]
    restart: String,
    #[command(flatten)]
    options: CreateOptions,
    /// Command of the container
    #[arg(last = true)]
    command: Vec<String>,
}

fn container(name: &str, image: &str, command: &[String]) -> Value {
    let mut container = json!({"name": name, "image": image, "resources": {}});
    if !command.is_empty() {
        container["command"] = json!(command);
    }
    container
}

/// The name of a container after its image.
fn name_of(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    let name = name.split([':', '@']).next().unwrap_or_default();
    if !name.contains(['_', '.']) && !name.chars().any(|letter| letter.is_ascii_uppercase()) {
        return name.to_owned();
    }
    // Names that are made fit could meet, so that they end in something of their own.
    let letters = name.chars().map(|letter| match letter {
        '_' | '.' => '-',
        other => other.to_ascii_lowercase(),
    });
    let own = RandomState::new().hash_one(image) & 0xf_ffff;
    format!("{}-{own:05x}", letters.collect::<String>())
}

impl DeploymentArgs {
    pub(super) fn made(self) -> anyhow::Result<Made> {
        if self.images.len() > 1 && !self.command.is_empty() {
            bail!("cannot specify multiple --image options and command");
        }
        let mut containers: Vec<Value> = self
            .images
            .iter()
            .map(|image| container(&name_of(image), image, &self.command))
            .collect();
        if let Some(port) = self.port {
            containers[0]["ports"] = json!([{"containerPort": port}]);
        }
        let labels = json!({"app": self.name});
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": labels},
                "strategy": {},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
            },
            "status": {},
        });
        Ok(Made { object, options: self.options, failed: "failed to create deployment: " })
    }
}

impl JobArgs {
    pub(super) async fn made(self, session: &Session) -> anyhow::Result<Made> {
        let mut object = json!({"apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": self.name}, "status": {}});
        match (&self.image, &self.from) {
            (None, None) => bail!("either --image or --from must be specified"),
            (Some(_), Some(_)) => bail!("either --image or --from must be specified, not both"),
            (Some(image), None) => {
                let containers = [container(&self.name, image, &self.command)];
                let pod = json!({"containers": containers, "restartPolicy": "Never"});
                object["spec"] = json!({"template": {"metadata": {}, "spec": pod}});
            }
            (None, Some(_)) if !self.command.is_empty() => {
                bail!("cannot specify --from and command")
            }
            (None, Some(from)) => manual(session, from, &mut object).await?,
        }
        Ok(Made { object, options: self.options, failed: "failed to create job: " })
    }
}

/// Makes a job what a cron job would start.
async fn manual(session: &Session, from: &str, job: &mut Value) -> anyhow::Result<()> {
    let all = targets(session, &[from.to_owned()]).await?;
    let [target] = all.as_slice() else { bail!("from must be an existing cronjob") };
    let [name] = target.names.as_slice() else { bail!("from must be an existing cronjob") };
    if target.resource.kind != "CronJob" {
        bail!("from must be an existing cronjob");
    }
    let namespace = session.namespace().await?;
    let cron_job = select::one(session, &target.resource, &namespace, name).await?;
    let cron = &cron_job.object;
    let template = cron.pointer("/spec/jobTemplate").cloned().unwrap_or_default();
    job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] = json!("manual");
    for field in ["annotations", "labels"] {
        let own = template.pointer(&format!("/metadata/{field}")).and_then(Value::as_object);
        for (key, value) in own.into_iter().flatten() {
            job["metadata"][field][key] = value.clone();
        }
    }
    job["metadata"]["ownerReferences"] = json!([{
        "apiVersion": text(cron, "/apiVersion"), "kind": "CronJob", "name": cron_job.name,
        "uid": text(cron, "/metadata/uid"), "controller": true,
    }]);
    job["spec"] = template.get("spec").cloned().unwrap_or_default();
    Ok(())
}

impl CronJobArgs {
    pub(super) fn made(self) -> Made {
        let containers = [container(&self.name, &self.image, &self.command)];
        let pod = json!({"containers": containers, "restartPolicy": self.restart});
        let object = json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": self.name},
            "spec": {
                "jobTemplate": {
                    "metadata": {"name": self.name},
                    "spec": {"template": {"metadata": {}, "spec": pod}},
                },
                "schedule": self.schedule,
            },
            "status": {},
        });
        Made { object, options: self.options, failed: "failed to create cronjob: " }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_after_their_images() {
        for (image, name) in [
            ("a", "a"),
            ("localhost:5000/a/b:c", "b"),
            ("a/b:c@sha256:1", "b"),
            ("x@sha256:1", "x"),
        ] {
            assert_eq!(name_of(image), name, "{image}");
        }
        assert!(name_of("a/My_App.x").starts_with("my-app-x-"));
    }
}
