//! `debug`: a look into pods and nodes, by a container beside those of a pod, by a copy of it, or by a
//! pod of its own on a node.

mod profile;
mod shape;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use http::Method;
use rand::Rng as _;
use serde_json::{Value, json};
use wk_patch::strategic;

use self::profile::{Keep, Profile};
use self::shape::{CopyOf, Wanted, is_held_back};
use super::exec::{Talk, attend};
use super::select::{self, Found, SelectArgs};
use crate::client::Call;
use crate::error::StatusError;
use crate::kinds::{Resource, built_in, text};
use crate::manifest::FileArgs;
use crate::session::Session;
use crate::yaml;

/// Arguments of `debug`.
#[derive(Debug, clap::Args)]
pub(crate) struct DebugArgs {
    /// POD, or TYPE/NAME of pods and nodes
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Image of the container
    #[arg(long)]
    image: Option<String>,
    /// Name of the container
    #[arg(short, long, value_name = "NAME", default_value = "", hide_default_value = true)]
    container: String,
    /// See the processes of this container
    #[arg(long, value_name = "CONTAINER", default_value = "", hide_default_value = true)]
    target: String,
    /// Environment variables of the container
    #[arg(long, value_name = "NAME=TEXT")]
    env: Vec<String>,
    /// When to pull the image: `Always`, `IfNotPresent` or `Never`
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// What the container may do
    #[arg(long, value_name = "PROFILE", default_value = "general")]
    profile: String,
    /// File with fields of a container that go beyond the profile
    #[arg(long, value_name = "FILE")]
    custom: Option<PathBuf>,
    /// Attach to the container when it runs; `--stdin` does that too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    attach: Option<bool>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Standard input is a terminal
    #[arg(short, long)]
    tty: bool,
    /// Print only what the program prints
    #[arg(short, long)]
    quiet: bool,
    /// The command is what is passed to the image's own program
    #[arg(long)]
    arguments_only: bool,
    #[command(flatten)]
    copy: CopyArgs,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What is said about copies.
#[derive(Debug, clap::Args)]
struct CopyArgs {
    /// Make a copy of the pod with this name
    #[arg(long, value_name = "NAME")]
    copy_to: Option<String>,
    /// Images of containers of the copy; `*` is every one
    #[arg(long, value_name = "CONTAINER=IMAGE", value_delimiter = ',')]
    set_image: Vec<String>,
    /// Whether the containers of the copy see each other's processes
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    share_processes: Option<bool>,
    /// Put the copy on the same node
    #[arg(long)]
    same_node: bool,
    /// Delete the pod that was copied
    #[arg(long)]
    replace: bool,
    /// Keep the annotations
    #[arg(long)]
    keep_annotations: bool,
    /// Keep the init containers
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    keep_init_containers: bool,
    /// Keep the labels, by which services and controllers find pods
    #[arg(long)]
    keep_labels: bool,
    /// Keep the liveness probes
    #[arg(long)]
    keep_liveness: bool,
    /// Keep the readiness probes
    #[arg(long)]
    keep_readiness: bool,
    /// Keep the startup probes
    #[arg(long)]
    keep_startup: bool,
}

pub(crate) async fn run(session: &Session, args: DebugArgs) -> anyhow::Result<()> {
    let images = pairs(&args.copy.set_image, "set-image")?;
    let env = pairs(&args.env, "env")?;
    let profile = args.profile(session)?;
    let custom = args.custom()?;
    args.check(session, &images)?;
    let wanted = Wanted {
        image: args.image.as_deref(),
        pull_policy: args.image_pull_policy.as_deref(),
        command: &args.command,
        arguments_only: args.arguments_only,
        env: env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect(),
        stdin: args.stdin,
        tty: args.tty,
        profile,
        keep: args.copy.keep(),
        custom,
    };
    let is_typed = |word: &String| word.contains('/');
    let words: Vec<String> = if args.words.iter().any(is_typed) {
        let typed =
            |word: &String| if is_typed(word) { word.clone() } else { format!("pods/{word}") };
        args.words.iter().map(typed).collect()
    } else if args.words.is_empty() {
        Vec::new()
    } else {
        std::iter::once("pods".to_owned()).chain(args.words.iter().cloned()).collect()
    };
    let none = SelectArgs::default();
    for (resource, namespace, name) in
        select::named(session, &words, &args.files, &none, false).await?
    {
        let name = name.unwrap_or_default();
        let found = select::one(session, &resource, &namespace, &name).await?;
        let (pod, container) = match (found.resource.group.as_str(), found.resource.kind.as_str()) {
            ("", "Node") => args.on_node(session, &wanted, &found).await?,
            ("", "Pod") => match &args.copy.copy_to {
                Some(name) => {
                    let copy = CopyOf {
                        name,
                        images: images.iter().cloned().collect::<BTreeMap<_, _>>(),
                        same_node: args.copy.same_node,
                        share_processes: args.copy.share_processes,
                    };
                    args.copy(session, &wanted, &found, &copy).await?
                }
                None => args.beside(session, &wanted, &found).await?,
            },
            _ => {
                let Resource { group, version, kind, .. } = &resource;
                bail!("\"{group}/{version}, Kind={kind}\" not supported by debug")
            }
        };
        if let Some(container) = container.filter(|_| args.attach.unwrap_or(args.stdin)) {
            let talk = Talk { stdin: args.stdin, tty: args.tty, quiet: args.quiet };
            attend(session, &pod, &container, talk).await?;
        }
    }
    Ok(())
}

/// Says that a container will be able to do less than it was given.
fn warn(session: &Session, pod: &Value, container: &str) {
    if is_held_back(pod, container) {
        session.console.warn(
            "Non-root user is configured for the entire target Pod, and some capabilities granted \
             by debug profile may not work. Please consider using \"--custom\" with a custom \
             profile that specifies \"securityContext.runAsUser: 0\".",
        );
    }
}

/// `a=b` as pairs.
fn pairs(words: &[String], flag: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(anyhow!(
            "invalid argument \"{word}\" for \"--{flag}\" flag: {word} must be formatted as \
             key=value\nSee 'wkctl debug --help' for usage."
        )),
    };
    words.iter().map(pair).collect()
}

/// Refuses what is no image's name.
fn check_image(image: &str, of: &str) -> anyhow::Result<()> {
    let is_good = image.parse::<wk_oci::ImageReference>().is_ok();
    if is_good {
        return Ok(());
    }
    bail!("invalid image name \"{image}\"{of}: invalid reference format")
}

/// Letters that spell no words.
fn suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = rand::rng();
    (0..5).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

impl CopyArgs {
    fn keep(&self) -> Keep {
        Keep {
            annotations: self.keep_annotations,
            init_containers: self.keep_init_containers,
            labels: self.keep_labels,
            liveness: self.keep_liveness,
            readiness: self.keep_readiness,
            startup: self.keep_startup,
        }
    }
}

impl DebugArgs {
    fn profile(&self, session: &Session) -> anyhow::Result<Profile> {
        let profile = <Profile as clap::ValueEnum>::from_str(&self.profile, false)
            .map_err(|_| anyhow!("unknown profile: {}", self.profile))?;
        if profile == Profile::Legacy {
            session.console.note(
                "--profile=legacy is deprecated and planned to be removed in v1.39. It is \
                 recommended to specify other profile, for example \"--profile=general\".",
            );
        }
        Ok(profile)
    }

    fn custom(&self) -> anyhow::Result<Option<Value>> {
        let Some(path) = &self.custom else { return Ok(None) };
        let bytes = std::fs::read(path).map_err(|error| {
            let path = path.display();
            anyhow!("must pass a container spec json file for custom profile: open {path}: {error}")
        })?;
        let read = yaml::one(&yaml::decoded(&bytes)).map_err(anyhow::Error::from);
        let message = wk_schema::message("io.k8s.api.core.v1.Container");
        let message = message.context("the schema has containers")?;
        // Fields that containers do not have are left out.
        let read = read.and_then(|value| Ok(wk_schema::decode_value(value, message)?.0));
        let container = read.map_err(|error| {
            let path = path.display();
            anyhow!(
                "{path} does not contain a valid container spec: error converting YAML to JSON: \
                 {error}"
            )
        })?;
        let fixed = ["name", "command", "image", "lifecycle", "volumeDevices"];
        if fixed.iter().any(|field| container.get(field).is_some_and(|value| *value != json!(""))) {
            bail!(
                "name, command, image, lifecycle and volume devices are not modifiable via custom \
                 profile"
            );
        }
        Ok(Some(container))
    }

    fn check(&self, session: &Session, images: &[(String, String)]) -> anyhow::Result<()> {
        let (image, copy) = (self.image.as_deref().unwrap_or_default(), &self.copy);
        if self.attach == Some(true) && image.is_empty() && self.container.is_empty() {
            bail!(
                "you must specify --container or create a new container using --image in order to \
                 attach."
            );
        }
        if copy.copy_to.is_some() {
            if image.is_empty() && images.is_empty() && self.command.is_empty() {
                bail!("you must specify --image, --set-image or command arguments.");
            }
            if !self.command.is_empty() && self.container.is_empty() && image.is_empty() {
                bail!(
                    "you must specify an existing container or a new image when specifying args."
                );
            }
        } else {
            match () {
                () if copy.replace => bail!("--replace may only be used with --copy-to."),
                () if copy.same_node => bail!("--same-node may only be used with --copy-to."),
                () if !images.is_empty() => bail!("--set-image may only be used with --copy-to."),
                () if image.is_empty() => {
                    bail!("you must specify --image when not using --copy-to.")
                }
                () => {}
            }
        }
        if !image.is_empty() {
            check_image(image, "")?;
        }
        if self.words.is_empty() && self.files.is_empty() {
            bail!("NAME or filename is required for debug");
        }
        if let Some(policy) = &self.image_pull_policy
            && !["Always", "IfNotPresent", "Never", ""].contains(&policy.as_str())
        {
            bail!("invalid image pull policy: {policy}");
        }
        for (name, image) in images {
            check_image(image, &format!(" for container \"{name}\""))?;
        }
        if !self.target.is_empty() {
            if copy.copy_to.is_some() {
                bail!("--target is incompatible with --copy-to. Use --share-processes instead.");
            }
            if !self.quiet {
                session.console.line(format!(
                    "Targeting container {:?}. If you don't see processes from this container it \
                     may be because the container runtime doesn't support this feature.",
                    self.target
                ))?;
            }
        }
        if self.tty && !self.stdin {
            bail!("-i/--stdin is required for containers with -t/--tty=true");
        }
        Ok(())
    }

    /// The name of a new container.
    fn container_name(&self, session: &Session, pod: &Value) -> anyhow::Result<String> {
        if !self.container.is_empty() {
            return Ok(self.container.clone());
        }
        let sorts = ["containers", "initContainers", "ephemeralContainers"];
        let is_taken = |name: &str| {
            let all = sorts.iter().filter_map(|sort| pod["spec"][*sort].as_array()).flatten();
            all.into_iter().any(|one| one["name"] == name)
        };
        let mut name = format!("debugger-{}", suffix());
        while is_taken(&name) {
            name = format!("debugger-{}", suffix());
        }
        if !self.quiet {
            session.console.line(format!("Defaulting debug container name to {name}."))?;
        }
        Ok(name)
    }

    async fn beside(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
        pod: &Found,
    ) -> anyhow::Result<(Found, Option<String>)> {
        let name = self.container_name(session, &pod.object)?;
        let changed = wanted.beside(&pod.object, &name, &self.target)?;
        warn(session, &changed, &name);
        let message = built_in("pods").and_then(|known| known.message);
        let message = message.context("pods are built in")?;
        let patch = strategic::create(&pod.object, &changed, message)?;
        let call = Call::patch(
            format!("{}/ephemeralcontainers", pod.path()),
            "application/strategic-merge-patch+json",
            patch.to_string(),
        );
        let answer = session.client().await?.object(call).await.map_err(|error| match error
            .downcast_ref::<StatusError>(
        ) {
            Some(status) if status.is_no_such_resource() => anyhow!(
                "ephemeral containers are disabled for this cluster (error from server: {:?})",
                status.message
            ),
            _ => error,
        })?;
        Ok((Found::of(&pod.resource, answer), Some(name)))
    }

    async fn copy(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
        pod: &Found,
        copy: &CopyOf<'_>,
    ) -> anyhow::Result<(Found, Option<String>)> {
        let name = || self.container_name(session, &pod.object);
        let (made, container) = wanted.copy(&pod.object, copy, &self.container, name)?;
        if let Some(container) = &container {
            warn(session, &made, container);
        }
        let path = pod.resource.path(Some(&pod.namespace));
        let made = session.ask(&pod.resource, Call::with(Method::POST, path, &made)).await?;
        if self.copy.replace {
            let now = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
            let call = Call::with(Method::DELETE, pod.path(), &now);
            session.ask(&pod.resource, call).await?;
        }
        Ok((Found::of(&pod.resource, made), container))
    }

    async fn on_node(
        &self,
        session: &Session,
        wanted: &Wanted<'_>,
        node: &Found,
    ) -> anyhow::Result<(Found, Option<String>)> {
        let pods = built_in("pods").context("pods are built in")?;
        let container = match self.container.as_str() {
            "" => "debugger",
            own => own,
        };
        let name = format!("node-debugger-{}-{}", node.name, suffix());
        if !self.quiet {
            session.console.line(format!(
                "Creating debugging pod {name} with container {container} on node {}.",
                node.name
            ))?;
        }
        let pod = wanted.on_node(&node.name, &name, container)?;
        let path = pods.path(Some(&session.namespace().await?));
        let made = session.ask(&pods, Call::with(Method::POST, path, &pod)).await?;
        debug_assert_eq!(text(&made, "/metadata/name"), name);
        Ok((Found::of(&pods, made), Some(container.to_owned())))
    }
}
