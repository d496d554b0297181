//! No pod too many, whatever happens to controllers and their connections.

use wk_client::{LeaderElector, LeaseSettings};

use super::faults::Faults;
use super::mix::Mix;
use super::*;

fn config() -> ControllersConfig {
    ControllersConfig::rootless("the CA".to_owned())
}

/// The controllers over a connection with `faults`, alone.
fn alone(router: &axum::Router, faults: Faults) -> TaskGroup {
    let group = TaskGroup::new("controllers");
    let client = faults.client(router.clone());
    Controllers::run(|_user| client.clone(), config(), &group);
    group
}

/// One of several replicas.
fn replica(router: &axum::Router, identity: &str, faults: Faults) -> TaskGroup {
    let group = TaskGroup::new(identity.to_owned());
    let settings = LeaseSettings {
        duration: Duration::from_secs(4),
        renew_deadline: Duration::from_secs(2),
        retry_period: Duration::from_millis(100),
        ..LeaseSettings::new("kube-controller-manager", identity)
    };
    let leadership =
        LeaderElector::start(Faults::default().client(router.clone()), settings, &group);
    let client = faults.client(router.clone());
    Controllers::run(|_user| client.clone(), ControllersConfig { leadership, ..config() }, &group);
    group
}

/// Waits until so many pods were made.
async fn made(mix: &Mix, client: &Client, group: &TaskGroup, count: usize) {
    until::<Pod>(client, group, |_| mix.made() >= count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_get_lost_cost_no_pod_too_many() {
    let group = TaskGroup::new("test");
    let (router, client) = server(&group).await;
    let mix = Mix::new(&client, &group).await;
    let controllers = alone(&router, Faults { lost: 0.15, ..Faults::default() });
    mix.create().await;
    mix.settle().await;
    mix.check().await;
    controllers.shutdown(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_told_late_cost_no_pod_too_many() {
    let group = TaskGroup::new("test");
    let (router, client) = server(&group).await;
    let mix = Mix::new(&client, &group).await;
    let late = Duration::from_millis(300);
    let controllers = alone(&router, Faults { late, ..Faults::default() });
    mix.create().await;
    mix.settle().await;
    mix.check().await;
    controllers.shutdown(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_start_anew_in_the_middle_make_no_pod_too_many() {
    let group = TaskGroup::new("test");
    let (router, client) = server(&group).await;
    let mix = Mix::new(&client, &group).await;
    mix.create().await;
    let faults = Faults { lost: 0.05, late: Duration::from_millis(100) };
    for part in 1..6 {
        let controllers = alone(&router, faults);
        made(&mix, &client, &group, part * 10).await;
        controllers.shutdown(DEADLINE).await;
    }
    let controllers = alone(&router, faults);
    mix.settle().await;
    mix.check().await;
    controllers.shutdown(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_make_no_pod_too_many_also_when_one_takes_over() {
    let group = TaskGroup::new("test");
    let (router, client) = server(&group).await;
    let mix = Mix::new(&client, &group).await;
    let faults = Faults { lost: 0.05, late: Duration::from_millis(200) };
    let (first, second) = (replica(&router, "first", faults), replica(&router, "second", faults));
    mix.create().await;
    // One of them goes in the middle of it.
    made(&mix, &client, &group, 20).await;
    first.shutdown(DEADLINE).await;
    made(&mix, &client, &group, 40).await;
    let third = replica(&router, "third", faults);
    second.shutdown(DEADLINE).await;
    mix.settle().await;
    mix.check().await;
    third.shutdown(DEADLINE).await;
}
