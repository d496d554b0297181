//! Tests of where pods are reached.

use k8s_openapi::api::discovery::v1::EndpointSlice;
use proptest::prelude::*;
use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "cases are written where they are used")]
fn service(change: serde_json::Value) -> Service {
    let mut spec = json!({
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
    });
    for (key, value) in change.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let metadata = json!({"name": "web", "namespace": "default", "uid": "s"});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn pod(number: usize, change: impl FnOnce(&mut PodView)) -> Arc<PodView> {
    let mut pod = PodView::sample(&format!("p{number:03}"));
    pod.network = Some(Box::new(PodNetwork {
        ips: vec![format!("127.64.{}.{}", number / 256, number % 256)],
        hostname: String::new(),
        subdomain: String::new(),
        ports: vec![("web".to_owned(), "TCP".to_owned(), 8080)],
    }));
    change(&mut pod);
    Arc::new(pod)
}

fn slices(
    service: &Service,
    pods: &[Arc<PodView>],
    there: &[Arc<EndpointSlice>],
) -> Vec<SliceStep> {
    let zones = BTreeMap::from([("n".to_owned(), "east".to_owned())]);
    plan_slices(&Observed { service, pods, zones: &zones }, there)
}

/// What the slices are after the steps.
fn carried_out(
    mut there: Vec<Arc<EndpointSlice>>,
    steps: Vec<SliceStep>,
) -> Vec<Arc<EndpointSlice>> {
    let names = there.iter().filter_map(|slice| slice.metadata.name.as_deref()?.get(4..));
    let mut number = names.filter_map(|text| text.parse::<usize>().ok()).max().unwrap_or(0);
    for step in steps {
        match step {
            SliceStep::Create(mut slice) => {
                number += 1;
                slice.metadata.name = Some(format!("web-{number}"));
                there.push(Arc::new(slice));
            }
            SliceStep::Update(slice) => {
                let is_it =
                    |one: &&mut Arc<EndpointSlice>| one.metadata.name == slice.metadata.name;
                if let Some(place) = there.iter_mut().find(is_it) {
                    *place = Arc::new(slice);
                }
            }
            SliceStep::Delete(slice) => {
                there.retain(|one| one.metadata.name != slice.metadata.name);
            }
        }
    }
    there
}

fn sizes(slices: &[Arc<EndpointSlice>]) -> Vec<usize> {
    slices.iter().map(|slice| slice.endpoints.as_ref().map_or(0, Vec::len)).collect()
}

#[test]
fn a_slice_shows_how_each_pod_is() {
    let ending = |pod: &mut PodView| Arc::make_mut(&mut pod.meta).is_terminating = true;
    let pods = [
        pod(1, |_| {}),
        pod(2, |pod| pod.ready_since = None),
        pod(3, ending),
        pod(4, |pod| pod.network = None),
        pod(5, |pod| pod.phase = crate::watched::Phase::Failed),
    ];
    let steps = slices(&service(json!({})), &pods, &[]);
    let [SliceStep::Create(slice)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(
        serde_json::to_value(&slice.ports).unwrap(),
        json!([
            {"name": "http", "port": 8080, "protocol": "TCP"}
        ])
    );
    let labels = slice.metadata.labels.as_ref().unwrap();
    assert_eq!(labels["kubernetes.io/service-name"], "web");
    let manager = "endpointslice-controller.k8s.io";
    assert_eq!(labels["endpointslice.kubernetes.io/managed-by"], manager);
    let shown: Vec<_> = slice
        .endpoints
        .iter()
        .flatten()
        .map(|one| {
            let conditions = one.conditions.clone().unwrap();
            assert_eq!(one.zone.as_deref(), Some("east"));
            let name = one.target_ref.clone().unwrap().name.unwrap();
            (name, conditions.ready, conditions.serving, conditions.terminating)
        })
        .collect();
    let row = |name: &str, ready, serving, ending| {
        (name.to_owned(), Some(ready), Some(serving), Some(ending))
    };
    assert_eq!(
        shown,
        [
            row("p001", true, true, false),
            row("p002", false, false, false),
            row("p003", false, true, true),
        ]
    );
    let published = slices(&service(json!({"publishNotReadyAddresses": true})), &pods, &[]);
    let [SliceStep::Create(slice)] = &published[..] else { panic!("{published:?}") };
    let mut all = slice.endpoints.iter().flatten();
    assert!(all.all(|one| one.conditions.as_ref().unwrap().ready == Some(true)));
}

#[test]
fn pods_with_other_ports_are_in_other_slices() {
    let other = |pod: &mut PodView| {
        pod.network.as_mut().unwrap().ports = vec![("web".to_owned(), "TCP".to_owned(), 9090)];
    };
    let there =
        carried_out(vec![], slices(&service(json!({})), &[pod(1, |_| {}), pod(2, other)], &[]));
    let mut ports: Vec<_> =
        there.iter().map(|slice| slice.ports.as_ref().unwrap()[0].port.unwrap()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [8080, 9090]);
}

#[test]
fn a_service_without_pods_keeps_one_empty_slice() {
    let web = service(json!({}));
    let there = carried_out(vec![], slices(&web, &[], &[]));
    assert_eq!(sizes(&there), [0]);
    assert_eq!(slices(&web, &[], &there), []);
    let there = carried_out(there.clone(), slices(&web, &[pod(1, |_| {})], &there));
    assert_eq!(sizes(&there), [1], "the empty one goes when there is something to show");
    let there = carried_out(there.clone(), slices(&web, &[], &there));
    assert_eq!(sizes(&there), [0]);
}

#[test]
fn a_change_touches_few_slices() {
    let web = service(json!({}));
    let pods: Vec<_> = (0..250).map(|number| pod(number, |_| {})).collect();
    let there = carried_out(vec![], slices(&web, &pods, &[]));
    assert_eq!(sizes(&there), [100, 100, 50]);
    let mut fewer = pods.clone();
    fewer.remove(7);
    fewer.push(pod(300, |_| {}));
    let steps = slices(&web, &fewer, &there);
    assert_eq!(steps.len(), 1, "the one that goes makes room for the one that comes");
}

#[test]
fn the_older_form_parts_ready_from_unready() {
    let ending = |pod: &mut PodView| Arc::make_mut(&mut pod.meta).is_terminating = true;
    let pods =
        [pod(2, |_| {}), pod(1, |_| {}), pod(3, |pod| pod.ready_since = None), pod(4, ending)];
    let (web, zones) = (service(json!({})), BTreeMap::new());
    let observed = Observed { service: &web, pods: &pods, zones: &zones };
    let endpoints = plan_endpoints(&observed, None).unwrap();
    let subset = &endpoints.subsets.as_ref().unwrap()[0];
    let ips = |list: &Option<Vec<k8s_openapi::api::core::v1::EndpointAddress>>| -> Vec<String> {
        list.iter().flatten().map(|one| one.ip.clone()).collect()
    };
    assert_eq!(ips(&subset.addresses), ["127.64.0.1", "127.64.0.2"]);
    assert_eq!(ips(&subset.not_ready_addresses), ["127.64.0.3"]);
    assert_eq!(plan_endpoints(&observed, Some(&endpoints)), None);
    let none = Observed { service: &web, pods: &[], zones: &zones };
    assert_eq!(plan_endpoints(&none, Some(&endpoints)).unwrap().subsets, None);
}

proptest! {
    #[test]
    fn slices_show_just_the_pods_that_are_there(
        before in proptest::collection::btree_set(0..260_usize, 0..260),
        after in proptest::collection::btree_set(0..260_usize, 0..260),
    ) {
        let web = service(json!({}));
        let pods = |numbers: &std::collections::BTreeSet<usize>| -> Vec<_> {
            numbers.iter().map(|number| pod(*number, |_| {})).collect()
        };
        let there = carried_out(vec![], slices(&web, &pods(&before), &[]));
        let steps = slices(&web, &pods(&after), &there);
        let there = carried_out(there, steps);
        let mut shown: Vec<String> = there
            .iter()
            .flat_map(|slice| slice.endpoints.iter().flatten())
            .map(|one| one.target_ref.clone().unwrap().name.unwrap())
            .collect();
        shown.sort();
        let wanted: Vec<String> = after.iter().map(|number| format!("p{number:03}")).collect();
        prop_assert_eq!(shown, wanted);
        prop_assert!(sizes(&there).iter().all(|size| *size <= 100));
        prop_assert_eq!(slices(&web, &pods(&after), &there), []);
    }
}
