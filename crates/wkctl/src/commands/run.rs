//! `run`: one pod with one container.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::create::{Creation, create, named};
use super::writing::WriteArgs;
use crate::error::hinted;
use crate::manifest::Manifest;
use crate::session::Session;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Name of the pod
    name: String,
    /// Image of its container
    #[arg(long)]
    image: Option<String>,
    /// Port that the container serves
    #[arg(long)]
    port: Option<u16>,
    /// Environment variables of the container
    #[arg(short, long, value_name = "NAME=TEXT")]
    env: Vec<String>,
    /// Labels of the pod
    #[arg(short, long, value_name = "KEY=VALUE", value_delimiter = ',')]
    labels: Vec<String>,
    /// Annotations of the pod
    #[arg(long, value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    /// When to start the container again: `Always`, `OnFailure` or `Never`
    #[arg(long, value_name = "POLICY", default_value = "Always")]
    restart: String,
    /// When to pull the image: `Always`, `IfNotPresent` or `Never`
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// The arguments are the command and not what is passed to it
    #[arg(long)]
    command: bool,
    /// Note the configuration, so that `apply` can be used later
    #[arg(long)]
    save_config: bool,
    #[command(flatten)]
    write: WriteArgs,
    /// Arguments of the container
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) async fn run(session: &Session, args: RunArgs) -> anyhow::Result<()> {
    let manifest = Manifest { source: String::new(), object: args.pod()? };
    let creation = Creation {
        write: &args.write,
        validate: "strict",
        save_config: args.save_config,
        manager: "kubectl-run",
        failed: "",
        done: "created",
    };
    create(session, &creation, manifest).await
}

/// `a=b` as a pair.
fn pairs<'a>(words: &'a [String], what: &str) -> anyhow::Result<Vec<(&'a str, &'a str)>> {
    let pair = |word: &'a String| {
        word.split_once('=')
            .with_context(|| format!("invalid {what} \"{word}\", expected name=value"))
    };
    words.iter().map(pair).collect()
}

impl RunArgs {
    fn pod(&self) -> anyhow::Result<Value> {
        let Some(image) = &self.image else {
            return Err(hinted(
                "--image is required",
                format!("such as `wkctl run {} --image=localhost:5000/hello:v1`", self.name),
            ));
        };
        if !["Always", "OnFailure", "Never"].contains(&self.restart.as_str()) {
            bail!("invalid restart policy: {}, must be Always, OnFailure or Never", self.restart);
        }
        let mut container = json!({"name": self.name, "image": image, "resources": {}});
        if let Some(policy) = &self.image_pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        if let Some(port) = self.port {
            container["ports"] = json!([{"containerPort": port}]);
        }
        let env = pairs(&self.env, "env")?;
        if !env.is_empty() {
            container["env"] =
                env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        }
        if !self.arguments.is_empty() {
            let field = if self.command { "command" } else { "args" };
            container[field] = json!(self.arguments);
        }
        let mut pod = named("Pod", &self.name);
        pod["metadata"]["labels"]["run"] = json!(self.name);
        if !self.labels.is_empty() {
            pod["metadata"]["labels"] = map(pairs(&self.labels, "label")?);
        }
        if !self.annotations.is_empty() {
            pod["metadata"]["annotations"] = map(pairs(&self.annotations, "annotation")?);
        }
        pod["spec"] = json!({
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": self.restart,
        });
        pod["status"] = json!({});
        Ok(pod)
    }
}

fn map(pairs: Vec<(&str, &str)>) -> Value {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use crate::commands::Command;

    #[track_caller]
    fn check(line: &str, expected: Result<Value, &str>) {
        let words = format!("wkctl run {line}");
        let args = cli::parse(words.split_whitespace().map(Into::into)).unwrap();
        let Command::Run(args) = args.command else { panic!("{line}") };
        match (args.pod(), expected) {
            (Ok(mut pod), Ok(expected)) => assert_eq!(pod["spec"]["containers"].take(), expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (pod, _) => panic!("{line} gives {pod:?}"),
        }
    }

    #[test]
    fn a_command_line_makes_a_pod() {
        check("web --image=a:1", Ok(json!([{"name": "web", "image": "a:1", "resources": {}}])));
        check(
            "web --image a --port=80 --env=A=B --env=C=D=E -- x -y",
            Ok(json!([{
                "name": "web", "image": "a", "resources": {}, "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "value": "B"}, {"name": "C", "value": "D=E"}],
                "args": ["x", "-y"]}])),
        );
        check(
            "web --image a --command -- x",
            Ok(json!([{"name": "web", "image": "a", "resources": {}, "command": ["x"]}])),
        );
        check("web", Err("--image is required"));
        check("web --image a --restart=Often", Err("invalid restart policy"));
        check("web --image a --env=A", Err("invalid env"));
    }
}
