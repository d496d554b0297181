//! What this node cannot do, said before anything is started. Pure.

use k8s_openapi::api::core::v1::{Container, PodSpec, Probe};

/// Refuses a container with a setting that would otherwise be ignored.
///
/// # Errors
/// What is not supported, and what to use instead.
pub(crate) fn check(spec: &PodSpec, container: &Container) -> Result<(), String> {
    let probes = [
        ("readinessProbe", &container.readiness_probe),
        ("livenessProbe", &container.liveness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    for (field, probe) in probes {
        if let Some(probe) = probe {
            check_probe(field, probe)?;
        }
    }
    let lifecycle = container.lifecycle.as_ref();
    let hooks = [
        ("postStart", lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref())),
        ("preStop", lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref())),
    ];
    for (field, hook) in hooks {
        if hook.is_some() {
            return Err(format!("lifecycle.{field} is not supported on this node yet"));
        }
    }
    if spec.ephemeral_containers.as_ref().is_some_and(|all| !all.is_empty()) {
        return Err("ephemeral containers are not supported on this node yet".to_owned());
    }
    if container.volume_devices.as_ref().is_some_and(|all| !all.is_empty()) {
        return Err("volumeDevices are not supported on this node".to_owned());
    }
    Ok(())
}

fn check_probe(field: &str, probe: &Probe) -> Result<(), String> {
    if probe.exec.is_some() {
        return Err(format!(
            "{field}.exec is not supported on this node: a WebAssembly program has no other \
             programs beside it; use httpGet or tcpSocket"
        ));
    }
    if probe.grpc.is_some() {
        return Err(format!("{field}.grpc is not supported on this node yet; use tcpSocket"));
    }
    let scheme = probe.http_get.as_ref().and_then(|get| get.scheme.as_deref());
    if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
        return Err(format!(
            "{field}.httpGet over HTTPS is not supported on this node yet; use tcpSocket"
        ));
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
        check(&PodSpec::default(), &container)
    }

    #[test]
    fn nothing_is_ignored_in_silence() {
        checked(&json!({"name": "c", "readinessProbe": {"httpGet": {"port": 80}}})).unwrap();
        checked(&json!({"name": "c", "livenessProbe": {"tcpSocket": {"port": 80}}})).unwrap();
        for container in [
            json!({"name": "c", "readinessProbe": {"exec": {"command": ["ls"]}}}),
            json!({"name": "c", "startupProbe": {"grpc": {"port": 1}}}),
            json!({"name": "c", "livenessProbe": {"httpGet": {"port": 1, "scheme": "HTTPS"}}}),
            json!({"name": "c", "lifecycle": {"preStop": {"exec": {"command": ["ls"]}}}}),
        ] {
            assert!(checked(&container).is_err(), "{container}");
        }
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
