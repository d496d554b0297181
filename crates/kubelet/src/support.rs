//! What this node cannot do, said before anything is started. Pure.

use k8s_openapi::api::core::v1::Container;
use wk_oci::Flavor;

/// Refuses a container with a setting that would otherwise be ignored.
///
/// # Errors
/// What is not supported, and what to use instead.
pub(crate) fn check(container: &Container) -> Result<(), String> {
    let signal = container.lifecycle.as_ref().and_then(|hooks| hooks.stop_signal.as_deref());
    if let Some(signal) = signal.filter(|signal| *signal != "SIGTERM") {
        return Err(format!(
            "lifecycle.stopSignal `{signal}` is not supported on this node; containers are asked to \
             end by SIGTERM"
        ));
    }
    let mut rules = container.restart_policy_rules.iter().flatten();
    if let Some(rule) = rules.find(|rule| rule.action != "Restart") {
        let action = &rule.action;
        return Err(format!("restartPolicyRules action `{action}` is not supported on this node"));
    }
    if container.volume_devices.as_ref().is_some_and(|all| !all.is_empty()) {
        return Err("volumeDevices are not supported on this node".to_owned());
    }
    Ok(())
}

/// A runtime, as runtime classes name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Wasm,
    Docker,
}

impl Handler {
    /// The one that a runtime class names.
    ///
    /// # Errors
    /// If this node has none of that name.
    pub(crate) fn named(name: &str, has_linux: bool) -> Result<Self, String> {
        match name {
            "wasm" => Ok(Self::Wasm),
            "docker" if has_linux => Ok(Self::Docker),
            "docker" => Err("no runtime for \"docker\" is configured: the node has no container \
                             engine"
                .to_owned()),
            "wasm-isolated" => Err("no runtime for \"wasm-isolated\" is configured: it is not \
                                    supported yet; use `wasm`"
                .to_owned()),
            other => Err(format!(
                "no runtime for \"{other}\" is configured; there are `wasm` and `docker`"
            )),
        }
    }
}

impl Handler {
    /// The image that it runs, where there are several.
    pub(crate) fn flavor(self) -> Flavor {
        match self {
            Self::Wasm => Flavor::Wasm,
            Self::Docker => Flavor::Linux,
        }
    }
}

/// Whether a container goes to the runtime for Linux images rather than to the one for Wasm.
///
/// # Errors
/// If what the pod's runtime class says, its image and the node do not fit each other.
pub(crate) fn needs_linux(
    wanted: Option<Handler>,
    wasm_image: bool,
    has_linux: bool,
) -> Result<bool, String> {
    match wanted {
        Some(Handler::Wasm) if !wasm_image => {
            Err("the pod's runtime class needs a WebAssembly image, and this is a Linux image"
                .to_owned())
        }
        Some(Handler::Docker) if wasm_image => {
            Err("the pod's runtime class needs a Linux image, and this is a WebAssembly image"
                .to_owned())
        }
        None if !wasm_image && !has_linux => {
            Err("the image is a Linux image, and this node runs only WebAssembly; build the \
                 program for `wasm32-wasip2`, or use a node with a container engine"
                .to_owned())
        }
        None | Some(Handler::Wasm | Handler::Docker) => Ok(!wasm_image),
    }
}

/// What the network of a container's pod has to be for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Its runtime sees to it alone.
    Own,
    /// A network namespace that containers of both runtimes have in common.
    Shared,
    /// The others have none, and are not to be started again for its sake.
    Apart,
}

/// What a container needs of its pod's network. `others` are the pod's other containers that are
/// not ephemeral, true for those of Linux programs.
pub(crate) fn network(linux: bool, is_ephemeral: bool, others: &[bool]) -> Network {
    let is_alike = others.iter().all(|other| *other == linux);
    let is_mixed = others.contains(&true) && others.contains(&false);
    if is_alike {
        Network::Own
    } else if is_ephemeral && linux && !is_mixed {
        Network::Apart
    } else {
        Network::Shared
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(container: &serde_json::Value) -> Result<(), String> {
        let container: Container = serde_json::from_value(container.clone()).unwrap();
        check(&container)
    }

    #[test]
    fn nothing_is_ignored_in_silence() {
        checked(&json!({"name": "c"})).unwrap();
        let device = json!({"name": "c", "volumeDevices": [{"name": "d", "devicePath": "/dev/d"}]});
        assert!(checked(&device).is_err());
        let signal = json!({"name": "c", "lifecycle": {"stopSignal": "SIGUSR1"}});
        assert!(checked(&signal).unwrap_err().contains("`SIGUSR1`"));
        checked(&json!({"name": "c", "lifecycle": {"stopSignal": "SIGTERM"}})).unwrap();
        let rule = json!({"action": "RestartAllContainers"});
        assert!(checked(&json!({"name": "c", "restartPolicyRules": [rule]})).is_err());
    }

    #[test]
    fn the_runtime_follows_from_class_and_image() {
        let (wasm, docker) = (Some(Handler::Wasm), Some(Handler::Docker));
        for (wanted, wasm_image, has_linux, expected) in [
            (None, true, false, Some(false)),
            (None, false, true, Some(true)),
            (None, false, false, None),
            (wasm, true, true, Some(false)),
            (wasm, false, true, None),
            (docker, true, true, None),
            (docker, false, true, Some(true)),
        ] {
            assert_eq!(needs_linux(wanted, wasm_image, has_linux).ok(), expected, "{wanted:?}");
        }
        for (name, has_linux, expected) in [
            ("wasm", false, wasm),
            ("docker", true, docker),
            ("docker", false, None),
            ("wasm-isolated", true, None),
            ("kata", true, None),
        ] {
            assert_eq!(Handler::named(name, has_linux).ok(), expected, "{name}");
        }
    }

    #[test]
    fn containers_of_both_kinds_share_a_namespace() {
        let (wasm, linux) = (false, true);
        for (own, is_ephemeral, others, expected) in [
            (wasm, false, &[][..], Network::Own),
            (wasm, false, &[wasm], Network::Own),
            (linux, false, &[linux, linux], Network::Own),
            (wasm, false, &[linux], Network::Shared),
            (linux, false, &[linux, wasm], Network::Shared),
            (linux, true, &[linux], Network::Own),
            (wasm, true, &[linux], Network::Shared),
            (linux, true, &[wasm], Network::Apart),
            (linux, true, &[wasm, linux], Network::Shared),
        ] {
            let case = format!("{own} {is_ephemeral} {others:?}");
            assert_eq!(network(own, is_ephemeral, others), expected, "{case}");
        }
    }
}
