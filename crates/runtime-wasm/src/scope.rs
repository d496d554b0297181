//! What all instances of one container share: identity, limits, network, files and log.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wk_runtime::{GuestNetwork, Image, OpenNamespace, Sandbox};

use crate::console::Console;
use crate::environment::Variables;
use crate::folders;
use crate::log::{ContainerLog, Source};
use crate::meter::Meter;
use crate::tls::Trust;

/// The most random bytes a guest gets in one call.
const RANDOM_BYTES: u64 = 1 << 20;

/// A container's surroundings.
pub(crate) struct Scope {
    pub(crate) args: Vec<String>,
    pub(crate) env: Variables,
    /// Working directory for programs that ask for it; WASI itself has none.
    pub(crate) working_dir: Option<String>,
    pub(crate) preopens: Vec<Preopen>,
    pub(crate) log: Arc<ContainerLog>,
    pub(crate) console: Console,
    pub(crate) meter: Arc<Meter>,
    pub(crate) network: Arc<dyn GuestNetwork>,
    pub(crate) sandbox: Arc<Sandbox>,
    /// Where sockets are made, if that is not this process' own network.
    pub(crate) namespace: Option<Arc<OpenNamespace>>,
    pub(crate) trust: Arc<Trust>,
}

/// A folder that guests see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preopen {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) read_only: bool,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("args", &self.args)
            .field("preopens", &self.preopens)
            .field("meter", &self.meter)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// The surroundings of another program in the same container.
    pub(crate) fn beside(&self, args: Vec<String>, console: Console) -> Self {
        Self {
            args,
            env: self.env.clone(),
            working_dir: self.working_dir.clone(),
            preopens: self.preopens.clone(),
            log: Arc::clone(&self.log),
            console,
            meter: Arc::clone(&self.meter),
            network: Arc::clone(&self.network),
            sandbox: Arc::clone(&self.sandbox),
            namespace: self.namespace.clone(),
            trust: Arc::clone(&self.trust),
        }
    }

    /// What WASI shows to one instance, which gets [folders](crate::folders) and
    /// [environment](crate::environment) when it asks.
    pub(crate) fn wasi(&self) -> WasiCtx {
        self.builder().build()
    }

    /// The same for core modules.
    ///
    /// # Errors
    /// If a folder cannot be opened.
    pub(crate) fn wasi_p1(&self) -> wasmtime::Result<wasmtime_wasi::p1::WasiP1Ctx> {
        let mut builder = self.builder();
        builder.args(&self.args);
        for (name, value) in self.env.iter() {
            builder.env(name, value);
        }
        if let Some(folder) = &self.working_dir {
            builder.initial_cwd(folder);
        }
        folders::open_in(&mut builder, &self.preopens)?;
        Ok(builder.build_p1())
    }

    fn builder(&self) -> WasiCtxBuilder {
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdout(self.console.output(Source::Stdout))
            .stderr(self.console.output(Source::Stderr))
            .max_random_size(RANDOM_BYTES)
            .allow_tcp(true)
            .allow_udp(true)
            // Addresses are judged and rewritten by the pod's network before they get here.
            .socket_addr_check(|_, _| Box::pin(std::future::ready(true)));
        if let Some(input) = self.console.input() {
            builder.stdin(input);
        }
        builder
    }
}

/// The whole environment: the image's, then the pod's, where a later name wins; and `PWD`, because
/// that is where programs look for a working directory that WASI does not have.
pub(crate) fn environment(
    image: &Image,
    env: &[(String, String)],
    working_dir: Option<&str>,
) -> Variables {
    let from_image = image.env.iter().filter_map(|entry| entry.split_once('='));
    let pwd = working_dir.map(|folder| ("PWD", folder));
    let from_pod = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut whole: Vec<(&str, &str)> = Vec::new();
    for (name, value) in from_image.chain(pwd).chain(from_pod) {
        match whole.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => whole.push((name, value)),
        }
    }
    whole.into_iter().collect()
}

/// The argument vector: `command` replaces the image's entry point and its arguments, `args` the
/// image's arguments; a program without any of them is called by its image's name.
///
/// Spec: <https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/>
pub(crate) fn arguments(image: &Image, command: &[String], args: &[String]) -> Vec<String> {
    let first = if command.is_empty() { &image.entrypoint } else { command };
    let rest = match (command.is_empty(), args.is_empty()) {
        (_, false) => args,
        (true, true) => &image.cmd,
        (false, true) => &[],
    };
    let name = first.is_empty().then(|| program_name(&image.reference));
    name.into_iter().chain(first.iter().cloned()).chain(rest.iter().cloned()).collect()
}

/// The last part of an image's name, without tag and digest.
fn program_name(reference: &str) -> String {
    let name = reference.split('@').next().unwrap_or(reference);
    let name = name.rsplit('/').next().unwrap_or(name);
    name.split(':').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use wk_runtime::ImageKind;

    use super::*;

    fn image(entrypoint: &[&str], cmd: &[&str]) -> Image {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Image {
            reference: "registry:5000/team/web:1@sha256:00".to_owned(),
            digest: String::new(),
            kind: ImageKind::Linux { layout: PathBuf::new() },
            entrypoint: owned(entrypoint),
            cmd: owned(cmd),
            env: vec!["A=image".to_owned(), "B=image".to_owned()],
            working_dir: None,
        }
    }

    #[track_caller]
    fn check(case: &str, image: &Image, command: &[&str], args: &[&str], expected: &[&str]) {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(arguments(image, &owned(command), &owned(args)), expected, "{case}");
    }

    #[test]
    fn command_and_args_replace_the_images() {
        let full = image(&["/app"], &["serve"]);
        check("nothing given", &full, &[], &[], &["/app", "serve"]);
        check("args given", &full, &[], &["x"], &["/app", "x"]);
        check("a command drops the image's arguments", &full, &["sh"], &[], &["sh"]);
        check("both given", &full, &["sh"], &["x"], &["sh", "x"]);
        check(
            "a bare module has a name all the same",
            &image(&[], &[]),
            &[],
            &["x"],
            &["web", "x"],
        );
    }

    #[test]
    fn a_later_variable_wins() {
        let env = environment(
            &image(&[], &[]),
            &[("B".to_owned(), "pod".to_owned()), ("C".to_owned(), "pod".to_owned())],
            Some("/work"),
        );
        let shown: Vec<String> =
            env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["A=image", "B=pod", "PWD=/work", "C=pod"]);
    }
}
