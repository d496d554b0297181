//! What containers use, as the node tells it.

use serde_json::{Value, json};
use wk_tests::behaviour::{Play, Scene, eventually};

pub(crate) fn plays() -> Vec<Play> {
    vec![
        Play::new("a program that computes for ever is held to its processor time", |scene| {
            Box::pin(processor_time(scene))
        }),
        Play::new("what a container uses is told", |scene| Box::pin(memory(scene))),
    ]
}

/// What the kubelet says of a container of the pod `pod`.
async fn stats(scene: &Scene<'_>) -> Result<Value, String> {
    let path = "/api/v1/nodes/node-1/proxy/stats/summary";
    let summary = scene.kubectl(&["get", "--raw", path], "").await.json();
    let pods = summary["pods"].as_array().cloned().unwrap_or_default();
    let own = pods.into_iter().find(|pod| pod["podRef"]["namespace"] == scene.namespace());
    own.map(|pod| pod["containers"][0].clone()).ok_or_else(|| "nothing is told yet".to_owned())
}

async fn processor_time(scene: &Scene<'_>) {
    scene.run(&json!({"main": {"args": ["spin"], "resources": {"limits": {"cpu": "100m"}}}})).await;
    scene.until("pod", &json!({"conditions": {"Ready": "True"}})).await;
    let sample = async || {
        let stats = stats(scene).await?;
        let used = stats["cpu"]["usageCoreNanoSeconds"].as_f64().ok_or("no processor time")?;
        let time = stats["cpu"]["time"].as_str().ok_or("no time")?;
        let time: jiff::Timestamp = time.parse().map_err(|error| format!("{time}: {error}"))?;
        Ok((used / 1e9, time))
    };
    let (used, from) = eventually("it is told what was used", sample).await;
    let (share, took) = eventually("five seconds have passed", async || {
        let (now, to) = sample().await?;
        let took = to.duration_since(from).as_secs_f64();
        if took < 5.0 { Err(format!("{took}")) } else { Ok(((now - used) / took, took)) }
    })
    .await;
    assert!((0.01..0.2).contains(&share), "100m are a tenth of a core, used {share} in {took} s");
}

async fn memory(scene: &Scene<'_>) {
    scene.run(&json!({"main": {"args": ["alloc", "24"]}})).await;
    scene.printed("pod", "allocated 24\n").await;
    let used = eventually("it is told what is used", async || {
        let stats = stats(scene).await?;
        stats["memory"]["workingSetBytes"].as_u64().ok_or_else(|| stats.to_string())
    })
    .await;
    assert!((24 << 20..40 << 20).contains(&used), "{used} bytes");
    eventually("the same is told of the pod", async || {
        let told = scene.kubectl(&["top", "pod", "pod", "--no-headers"], "").await;
        let memory = told.stdout.split_whitespace().nth(2).and_then(|it| it.strip_suffix("Mi"));
        let memory: u64 = memory.and_then(|it| it.parse().ok()).ok_or(told.stderr)?;
        if (24..40).contains(&memory) { Ok(()) } else { Err(told.stdout) }
    })
    .await;
}
