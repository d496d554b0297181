//! What ends before what.

use serde_json::{Value, json};
use wk_tests::behaviour::{Play, Scene};

pub(crate) fn plays() -> Vec<Play> {
    vec![Play::new("sidecars end after the others, the last one first", |scene| {
        Box::pin(sidecars(scene))
    })]
}

async fn sidecars(scene: &Scene<'_>) {
    let waits = |name: &str| json!({"name": name, "args": ["sleep", "100000"]});
    let sidecar = |name: &str| {
        let mut sidecar = waits(name);
        sidecar["restartPolicy"] = "Always".into();
        sidecar
    };
    let mut main = waits("main");
    main["lifecycle"] = json!({"preStop": {"sleep": {"seconds": 2}}});
    scene
        .run(&json!({
            "terminationGracePeriodSeconds": 20,
            "initContainers": [sidecar("lower"), sidecar("upper")],
            "containers": [main, waits("other")],
        }))
        .await;
    scene.until("pod", &json!({"conditions": {"Ready": "True"}})).await;
    let versions = scene.delete("pod", None).await;
    let last = versions.last().expect("it was seen");
    let end = |container: &str| -> &str {
        let end: &Value = &last[container]["to"];
        end.as_str().unwrap_or_else(|| panic!("`{container}` has not ended: {}", last["pod"]))
    };
    assert!(end("other") < end("main"), "each main container ends by itself");
    assert!(end("main") <= end("upper") && end("upper") <= end("lower"), "{}", last["pod"]);
    let both = json!({"other": {"state": "terminated"}, "main": {"state": "running"}});
    scene.ever("pod", &both).await;
}
