//! Tells every namespace the cluster's CA, in the ConfigMap `kube-root-ca.crt`.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use tracing::info;
use wk_api::names::NamespacedName;
use wk_api::well_known::ROOT_CA_CONFIG_MAP;
use wk_client::{Informer, Outcome, WorkQueue};

use crate::{Shell, unless_gone};
use plan::{Step, plan};

const KEY: &str = "ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when \
     using internal endpoints such as the internal service IP or kubernetes.default.svc. No other \
     usage is guaranteed across distributions of Kubernetes clusters.";

pub(crate) fn run(client: Client, ca_pem: String, shell: &Shell) {
    let only = watcher::Config::default().fields(&format!("metadata.name={ROOT_CA_CONFIG_MAP}"));
    let wanted = Arc::new(BTreeMap::from([(KEY.to_owned(), ca_pem)]));
    let expected = Arc::clone(&wanted);
    // Kept of each is only whether it says what it should.
    let maps = Informer::projected(
        Api::<ConfigMap>::all(client.clone()),
        only,
        &shell.group,
        move |map| {
            let is_ours = map.metadata.name.as_deref() == Some(ROOT_CA_CONFIG_MAP);
            is_ours.then(|| map.data.as_ref() == Some(&*expected) && map.binary_data.is_none())
        },
    );
    let queue = WorkQueue::<String>::default();
    let from_namespace = queue.clone();
    shell.watched.namespaces.on_change(move |key| from_namespace.add(key.name.clone()));
    let from_map = queue.clone();
    maps.on_change(move |key| from_map.add(key.namespace.clone().unwrap_or_default()));
    let watched = Arc::clone(&shell.watched);
    shell.run("root-ca", &queue, 8, move |namespace| {
        let (client, maps, watched) = (client.clone(), maps.clone(), Arc::clone(&watched));
        let wanted = Arc::clone(&wanted);
        async move {
            maps.ready().await;
            let key = NamespacedName::new(namespace.as_str(), ROOT_CA_CONFIG_MAP);
            let seen = watched.namespaces.get_cluster(&namespace);
            if let Some(step) = plan(seen.as_deref(), maps.get(&key).as_deref().copied()) {
                carry_out(step, client, &namespace, &wanted).await?;
            }
            Ok(Outcome::Done)
        }
    });
}

async fn carry_out(
    step: Step,
    client: Client,
    namespace: &str,
    wanted: &BTreeMap<String, String>,
) -> Result<(), kube::Error> {
    let api = Api::<ConfigMap>::namespaced(client, namespace);
    match step {
        Step::Create => {
            let mut map = ConfigMap { data: Some(wanted.clone()), ..ConfigMap::default() };
            map.metadata.name = Some(ROOT_CA_CONFIG_MAP.to_owned());
            map.metadata.annotations =
                Some([("kubernetes.io/description".to_owned(), DESCRIPTION.to_owned())].into());
            match api.create(&PostParams::default(), &map).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
                other => unless_gone(other),
            }
        }
        Step::Repair => {
            info!(namespace, "repairing {ROOT_CA_CONFIG_MAP}");
            let Some(mut map) = api.get_opt(ROOT_CA_CONFIG_MAP).await? else { return Ok(()) };
            map.data = Some(wanted.clone());
            map.binary_data = None;
            unless_gone(api.replace(ROOT_CA_CONFIG_MAP, &PostParams::default(), &map).await)
        }
    }
}
