//! `run`: one pod with one container.

mod attached;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use self::attached::{Visit, visit};
use super::create::{Creation, create, made, named};
use super::exec::Talk;
use super::select::Found;
use super::writing::{DryRun, WriteArgs};
use crate::duration;
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
    /// Let the container do everything
    #[arg(long)]
    privileged: bool,
    /// Make a service for the port, too
    #[arg(long)]
    expose: bool,
    #[command(flatten)]
    visit: VisitArgs,
    #[command(flatten)]
    write: WriteArgs,
    /// Arguments of the container
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Who stays to talk to the program.
#[derive(Clone, Debug, clap::Args)]
struct VisitArgs {
    /// Attach to the container when it runs; `--stdin` and `--tty` do that too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    attach: Option<bool>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Standard input is a terminal
    #[arg(short, long)]
    tty: bool,
    /// The program's input stays open when nobody is attached any more
    #[arg(long)]
    leave_stdin_open: bool,
    /// Delete the pod afterwards
    #[arg(long)]
    rm: bool,
    /// Print only what the program prints
    #[arg(short, long)]
    quiet: bool,
    /// How long the pod may take to run, such as `1m`
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pod_running_timeout: String,
}

impl VisitArgs {
    fn is_wanted(&self) -> bool {
        self.attach.unwrap_or(self.stdin || self.tty)
    }

    fn visit(&self) -> anyhow::Result<Visit> {
        let patience = duration::parse(&self.pod_running_timeout)?;
        if patience.is_zero() {
            bail!("--pod-running-timeout must be higher than zero");
        }
        Ok(Visit {
            talk: Talk { stdin: self.stdin, tty: self.tty, quiet: self.quiet },
            patience,
            remove: self.rm,
            leave_open: self.leave_stdin_open,
        })
    }
}

pub(crate) async fn run(session: &Session, args: RunArgs) -> anyhow::Result<()> {
    let manifest = |object| Manifest { source: String::new(), object };
    let pod = args.pod()?;
    let creation = Creation {
        write: &args.write,
        validate: "strict",
        save_config: args.save_config,
        manager: "kubectl-run",
        failed: "",
        done: "created",
    };
    let service = if args.expose { Some(args.service(&pod)?) } else { None };
    if !args.visit.is_wanted() {
        create(session, &creation, manifest(pod)).await?;
        return match service {
            Some(service) => create(session, &creation, manifest(service)).await,
            None => Ok(()),
        };
    }
    let (resource, object) = made(session, &creation, manifest(pod)).await?;
    if let Some(service) = service {
        create(session, &creation, manifest(service)).await?;
    }
    session.console.flush()?;
    visit(session, &Found::of(&resource, object), args.visit.visit()?).await
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
        let talk = &self.visit;
        if talk.tty && !talk.stdin {
            bail!("-i/--stdin is required for containers with -t/--tty=true");
        }
        if self.expose && self.port.is_none() {
            bail!("--port must be set when exposing a service");
        }
        if talk.is_wanted() && self.write.dry_run()? != DryRun::No {
            bail!(
                "--dry-run=[server|client] can't be used with attached containers options \
                 (--attach, --stdin, or --tty)"
            );
        }
        if !["Always", "OnFailure", "Never"].contains(&self.restart.as_str()) {
            bail!("invalid restart policy: {}, must be Always, OnFailure or Never", self.restart);
        }
        if talk.rm && !talk.is_wanted() {
            bail!("--rm should only be used for attached containers");
        }
        let mut container = json!({"name": self.name, "image": image, "resources": {}});
        if let Some(policy) = &self.image_pull_policy {
            container["imagePullPolicy"] = json!(policy);
        }
        if let Some(port) = self.port {
            container["ports"] = json!([{"containerPort": port}]);
        }
        if talk.stdin {
            container["stdin"] = json!(true);
            if !talk.leave_stdin_open {
                container["stdinOnce"] = json!(true);
            }
        }
        if talk.tty {
            container["tty"] = json!(true);
        }
        if self.privileged {
            container["securityContext"] = json!({"privileged": true});
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

    /// A service for the pod's port.
    fn service(&self, pod: &Value) -> anyhow::Result<Value> {
        let port = self.port.context("--port must be set when exposing a service")?;
        let mut service = named("Service", &self.name);
        service["spec"] = json!({
            "ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": pod["metadata"]["labels"],
        });
        service["status"] = json!({"loadBalancer": {}});
        Ok(service)
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
        check(
            "web --image a -it --rm",
            Ok(json!([{"name": "web", "image": "a", "resources": {}, "stdin": true,
                "stdinOnce": true, "tty": true}])),
        );
        check("web --image a -t", Err("-i/--stdin is required"));
        check("web --image a --rm", Err("--rm should only be used"));
        check("web --image a --expose", Err("--port must be set"));
        check("web --image a -i --dry-run=client", Err("--dry-run=[server|client] can't be used"));
    }
}
