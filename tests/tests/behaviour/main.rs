//! What pods do, said once and asked of every runtime; `README.md` beside this file is the book of it.
//!
//! A test is one cluster of one runtime, on which all cases of a few files are played at the same time.
//! Those of Linux containers are ignored by default for what they need; `.ci/run` installs that and runs
//! them.

mod endings;
mod resources;
mod streams;

use wk_tests::behaviour::{Play, Stage, Subject, cases};

/// How pods live.
const LIFE: &[&str] = &[
    include_str!("cases/ends.yaml"),
    include_str!("cases/order.yaml"),
    include_str!("cases/probes.yaml"),
    include_str!("cases/hooks.yaml"),
];
/// What is around them.
const SURROUNDINGS: &[&str] = &[
    include_str!("cases/environment.yaml"),
    include_str!("cases/volumes.yaml"),
    include_str!("cases/limits.yaml"),
    include_str!("cases/images.yaml"),
];
/// How they are heard and talked with.
const STREAMS: &[&str] = &[include_str!("cases/logs.yaml"), include_str!("cases/streams.yaml")];

/// Plays files of cases, and what is in code.
async fn play(stage: &Stage, files: &[&str], code: Vec<Play>) {
    let written = files.iter().flat_map(|file| cases(file, stage.subject())).map(Play::from);
    stage.play(written.chain(code).collect()).await;
}

async fn lives(subject: Subject) {
    play(&Stage::start(subject).await, LIFE, endings::plays()).await;
}

async fn has_its_surroundings(subject: Subject) {
    play(&Stage::start(subject).await, SURROUNDINGS, resources::plays()).await;
}

async fn is_talked_with(subject: Subject) {
    let stage = Stage::start_with(subject, &[streams::LOG_SIZE]).await;
    play(&stage, STREAMS, streams::plays()).await;
}

#[tokio::test]
async fn a_wasm_pod_lives_as_a_pod_does() {
    lives(Subject::Wasm).await;
}

#[tokio::test]
async fn a_wasm_pod_in_another_process_lives_as_a_pod_does() {
    lives(Subject::WasmHost).await;
}

#[tokio::test]
#[ignore = "needs root, docker.io and skopeo"]
async fn a_linux_pod_lives_as_a_pod_does() {
    lives(Subject::Docker).await;
}

#[tokio::test]
async fn a_wasm_pod_has_what_it_is_given_and_no_more() {
    has_its_surroundings(Subject::Wasm).await;
}

#[tokio::test]
async fn a_wasm_pod_in_another_process_has_what_it_is_given_and_no_more() {
    has_its_surroundings(Subject::WasmHost).await;
}

#[tokio::test]
#[ignore = "needs root, docker.io and skopeo"]
async fn a_linux_pod_has_what_it_is_given_and_no_more() {
    has_its_surroundings(Subject::Docker).await;
}

#[tokio::test]
async fn a_wasm_pod_is_heard_and_talked_with() {
    is_talked_with(Subject::Wasm).await;
}

#[tokio::test]
async fn a_wasm_pod_in_another_process_is_heard_and_talked_with() {
    is_talked_with(Subject::WasmHost).await;
}

#[tokio::test]
#[ignore = "needs root, docker.io and skopeo"]
async fn a_linux_pod_is_heard_and_talked_with() {
    is_talked_with(Subject::Docker).await;
}
