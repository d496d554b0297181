//! The fake runtime keeps the promises that the real ones make.

use std::collections::BTreeMap;

use wk_runtime::{
    ContainerSpec, ExecCommand, FakeRuntime, Image, ImageKind, InstancePolicy, Limits, LogLimits,
    PodRef, Sandbox, Stdio, conformance,
};

#[tokio::test]
async fn the_fake_runtime_conforms() {
    let spec = ContainerSpec {
        pod: PodRef { namespace: "default".into(), name: "web".into(), uid: "1".into() },
        name: "main".into(),
        attempt: 0,
        image: Image {
            reference: "web:1".into(),
            digest: "sha256:1".into(),
            kind: ImageKind::Wasm {
                module: "/dev/null".into(),
                module_digest: "sha256:2".into(),
                rootfs: None,
            },
            entrypoint: vec![],
            cmd: vec![],
            env: vec![],
            working_dir: None,
        },
        command: vec![],
        args: vec![],
        env: vec![],
        working_dir: None,
        mounts: vec![],
        limits: Limits::default(),
        sandbox: Sandbox {
            pod_uid: "1".into(),
            namespace: "default".into(),
            hostname: "web".into(),
            ip: [127, 0, 0, 1].into(),
            loopback: [127, 0, 0, 1].into(),
            netns: None,
            host_network: true,
            host_aliases: BTreeMap::new(),
        },
        ports: vec![],
        log_path: "/dev/null".into(),
        log_limits: LogLimits::default(),
        termination_message_path: "/dev/termination-log".into(),
        annotations: BTreeMap::new(),
        instances: InstancePolicy::PerRequest,
        stdio: Stdio::default(),
        linux: wk_runtime::LinuxSpec::default(),
    };
    conformance::check(&FakeRuntime::new(), &spec).await;
    let command = |words: &[&str]| ExecCommand {
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        tty: false,
    };
    let (cat, failing) = (command(&["cat"]), command(&["exit", "3"]));
    conformance::check_streams(&FakeRuntime::new(), &spec, &cat, (&failing, 3)).await;
}
