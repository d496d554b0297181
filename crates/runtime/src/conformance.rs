//! What every [`Runtime`] owes, as checks that each implementation runs, the fake included.
//!
//! The caller provides a runtime without containers and the specification of one program that
//! runs until it is stopped.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::broadcast;

use crate::{
    ContainerId, ContainerSpec, ContainerStatus, ExecCommand, Runtime, RuntimeError, RuntimeEvent,
    Streams,
};

/// How long any single step may take before the check fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs every check. `endless` is a container that runs until it is stopped; its `log_path` and
/// mounts must be usable for every id.
///
/// # Panics
/// If the runtime breaks its promise.
pub async fn check(runtime: &dyn Runtime, endless: &ContainerSpec) {
    an_unprepared_image_is_refused(runtime, endless).await;
    starting_twice_changes_nothing(runtime, endless).await;
    a_running_container_has_figures(runtime, endless).await;
    a_stopped_container_is_listed_until_removed(runtime, endless).await;
    removing_a_running_container_ends_it(runtime, endless).await;
    unknown_ids_are_no_error_where_the_end_state_holds(runtime).await;
    an_exit_is_told(runtime, endless).await;
    streams_need_a_running_container(runtime, endless).await;
}

/// Runs the checks of [`Runtime::exec`] and [`Runtime::attach`]; `endless` as in [`check`].
///
/// `cat` copies its standard input to its standard output until the input ends and then ends with
/// 0; `failing` is a command and the code other than 0 that it ends with.
///
/// # Panics
/// If the runtime breaks its promise.
pub async fn check_streams(
    runtime: &dyn Runtime,
    endless: &ContainerSpec,
    cat: &ExecCommand,
    failing: (&ExecCommand, i32),
) {
    let id = ContainerId::new("conformance-streams");
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    a_program_is_fed_and_heard(runtime, &id, cat).await;
    let code = within(runtime.exec(&id, failing.0, Streams::none())).await;
    assert_eq!(code.expect("the program runs"), failing.1, "the exit code is the program's");
    let nothing = ExecCommand { argv: vec!["/no/such/program".to_owned()], tty: false };
    let outcome = within(runtime.exec(&id, &nothing, Streams::none())).await;
    assert!(
        matches!(outcome, Err(RuntimeError::ExecFailed { .. })),
        "a program that does not exist must be refused, got {outcome:?}"
    );
    let (attached, ()) = within(async {
        tokio::join!(runtime.attach(&id, Streams::none()), async {
            runtime.stop(&id, Duration::from_secs(1)).await.expect("it stops");
        })
    })
    .await;
    // Whoever attaches while it stops may come too late.
    assert!(
        matches!(attached, Ok(()) | Err(RuntimeError::NotRunning { .. })),
        "attaching ends with the container, got {attached:?}"
    );
    runtime.remove(&id).await.expect("it can be removed");
}

async fn a_program_is_fed_and_heard(runtime: &dyn Runtime, id: &ContainerId, cat: &ExecCommand) {
    let (mut feed, stdin) = tokio::io::duplex(1024);
    let (stdout, mut heard) = tokio::io::duplex(1024);
    let streams =
        Streams { stdin: Some(Box::new(stdin)), stdout: Some(Box::new(stdout)), ..Streams::none() };
    let sent = "all work and no play makes jack a dull boy\n".repeat(1000);
    let talk = async {
        let mut all = String::new();
        let write = async {
            feed.write_all(sent.as_bytes()).await.expect("the program reads");
            drop(feed);
        };
        let ((), read) = tokio::join!(write, heard.read_to_string(&mut all));
        read.expect("the output is text");
        all
    };
    let (code, all) = within(async { tokio::join!(runtime.exec(id, cat, streams), talk) }).await;
    assert_eq!(code.expect("the program runs"), 0, "the program ends well");
    assert!(all == sent, "{} bytes of {} came back", all.len(), sent.len());
}

async fn streams_need_a_running_container(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let id = ContainerId::new("conformance-ended");
    let command = ExecCommand { argv: vec!["true".to_owned()], tty: false };
    let outcome = runtime.exec(&id, &command, Streams::none()).await;
    assert!(
        matches!(
            outcome,
            Err(RuntimeError::NoSuchContainer { .. } | RuntimeError::Unsupported { .. })
        ),
        "nothing runs in an unknown container, got {outcome:?}"
    );
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    within(runtime.stop(&id, Duration::ZERO)).await.expect("it stops");
    for outcome in [
        runtime.exec(&id, &command, Streams::none()).await.map(|_| ()),
        runtime.attach(&id, Streams::none()).await,
    ] {
        assert!(
            matches!(
                outcome,
                Err(RuntimeError::NotRunning { .. } | RuntimeError::Unsupported { .. })
            ),
            "an ended container takes nobody, got {outcome:?}"
        );
    }
    runtime.remove(&id).await.expect("it can be removed");
}

async fn an_unprepared_image_is_refused(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let mut spec = endless.clone();
    spec.image.digest = format!("sha256:{}", "0".repeat(64));
    if let crate::ImageKind::Wasm { module, module_digest, .. } = &mut spec.image.kind {
        *module = "/nonexistent/module.wasm".into();
        module_digest.clone_from(&spec.image.digest);
    }
    let outcome = runtime.start(&ContainerId::new("conformance-missing"), &spec).await;
    assert!(
        matches!(outcome, Err(RuntimeError::ImageMissing { .. })),
        "an unprepared image must be refused, got {outcome:?}"
    );
}

async fn starting_twice_changes_nothing(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let id = ContainerId::new("conformance-twice");
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("the first start succeeds");
    let first = state(runtime, &id).await.expect("it is listed").started_at;
    runtime.start(&id, endless).await.expect("the second start succeeds");
    let second = state(runtime, &id).await.expect("it is listed").started_at;
    assert_eq!(first, second, "a second start must not restart the container");
    runtime.remove(&id).await.expect("it can be removed");
}

async fn a_running_container_has_figures(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let id = ContainerId::new("conformance-stats");
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    let started_at = state(runtime, &id).await.expect("it is listed").started_at;
    let first = runtime.stats(&id).await.expect("a running container has figures");
    let second = runtime.stats(&id).await.expect("and has them again");
    for figures in [&first, &second] {
        assert_eq!(figures.started_at, started_at, "both tell the same start");
        assert!(figures.memory_bytes <= figures.memory_peak_bytes, "a peak is one: {figures:?}");
        assert_eq!(figures.requests.unwrap_or_default().total, 0, "nobody has asked it anything");
    }
    assert!(first.cpu <= second.cpu, "processor time only grows: {first:?}, {second:?}");
    runtime.remove(&id).await.expect("it can be removed");
    let gone = runtime.stats(&id).await;
    assert!(
        matches!(gone, Err(RuntimeError::NoSuchContainer { .. })),
        "a removed container has no figures, got {gone:?}"
    );
}

async fn a_stopped_container_is_listed_until_removed(
    runtime: &dyn Runtime,
    endless: &ContainerSpec,
) {
    let id = ContainerId::new("conformance-stop");
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    within(runtime.stop(&id, Duration::from_secs(1))).await.expect("it stops");
    let stopped = state(runtime, &id).await.expect("it is still listed");
    assert!(
        matches!(stopped.status, ContainerStatus::Exited(_)),
        "it must have ended: {stopped:?}"
    );
    within(runtime.stop(&id, Duration::ZERO)).await.expect("stopping again is success");
    let mut events = runtime.watch();
    runtime.start(&id, endless).await.expect("starting it again changes nothing");
    until_exited(&mut events, &id).await;
    let still = state(runtime, &id).await.expect("it is still listed");
    assert_eq!(still.status, stopped.status, "it has not run again");
    runtime.remove(&id).await.expect("it can be removed");
    assert!(state(runtime, &id).await.is_none(), "a removed container must not be listed");
    runtime.remove(&id).await.expect("removing again is success");
}

async fn removing_a_running_container_ends_it(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let id = ContainerId::new("conformance-remove");
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    within(runtime.remove(&id)).await.expect("it can be removed while it runs");
    assert!(state(runtime, &id).await.is_none(), "a removed container must not be listed");
}

async fn unknown_ids_are_no_error_where_the_end_state_holds(runtime: &dyn Runtime) {
    let id = ContainerId::new("conformance-unknown");
    runtime.stop(&id, Duration::ZERO).await.expect("stopping an unknown container is success");
    runtime.remove(&id).await.expect("removing an unknown container is success");
    let figures = runtime.stats(&id).await;
    assert!(
        matches!(figures, Err(RuntimeError::NoSuchContainer { .. })),
        "an unknown container has no figures, got {figures:?}"
    );
}

async fn an_exit_is_told(runtime: &dyn Runtime, endless: &ContainerSpec) {
    let id = ContainerId::new("conformance-exit");
    let mut events = runtime.watch();
    runtime.prepare(&endless.image).await.expect("the image prepares");
    runtime.start(&id, endless).await.expect("it starts");
    within(runtime.stop(&id, Duration::from_secs(1))).await.expect("it stops");
    until_exited(&mut events, &id).await;
    runtime.remove(&id).await.expect("it can be removed");
}

async fn until_exited(events: &mut broadcast::Receiver<RuntimeEvent>, id: &ContainerId) {
    loop {
        let event = within(events.recv()).await.expect("the event arrives");
        if matches!(event, RuntimeEvent::Exited { id: exited, .. } if exited == *id) {
            break;
        }
    }
}

async fn state(runtime: &dyn Runtime, id: &ContainerId) -> Option<crate::ContainerState> {
    let all = runtime.list().await.expect("containers can be listed");
    all.into_iter().find(|container| container.id == *id)
}

async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("the runtime answers in time")
}
