//! What this node cannot do, said before anything is started. Pure.

use k8s_openapi::api::core::v1::Container;

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

/// Whether a container goes to the runtime for Linux images rather than to the one for Wasm.
///
/// # Errors
/// If the pod's runtime class, its image and the node do not fit each other.
pub(crate) fn needs_linux(
    class: Option<&str>,
    wasm_image: bool,
    has_linux: bool,
) -> Result<bool, String> {
    match class {
        Some("wasm") if !wasm_image => {
            return Err("runtimeClassName `wasm` needs a WebAssembly image".to_owned());
        }
        Some("docker") if wasm_image => {
            return Err("runtimeClassName `docker` needs a Linux image".to_owned());
        }
        Some("wasm-isolated") => {
            return Err(
                "runtimeClassName `wasm-isolated` is not supported yet; use `wasm`".to_owned()
            );
        }
        None | Some("" | "wasm" | "docker") => {}
        Some(other) => {
            return Err(format!("RuntimeClass \"{other}\" is not known on this node; use `wasm`"));
        }
    }
    if !wasm_image && !has_linux {
        return Err("the image is a Linux image, and this node runs only WebAssembly; build the \
                    program for `wasm32-wasip2`, or use a node with a container engine"
            .to_owned());
    }
    Ok(!wasm_image)
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
        for (class, wasm_image, has_linux, expected) in [
            (None, true, false, Some(false)),
            (None, false, true, Some(true)),
            (None, false, false, None),
            (Some("wasm"), true, true, Some(false)),
            (Some("wasm"), false, true, None),
            (Some("docker"), true, true, None),
            (Some("docker"), false, true, Some(true)),
            (Some("wasm-isolated"), true, true, None),
            (Some("kata"), true, true, None),
        ] {
            assert_eq!(needs_linux(class, wasm_image, has_linux).ok(), expected, "{class:?}");
        }
    }
}
