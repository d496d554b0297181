//! Gives every namespace its `default` service account.

mod plan;

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use wk_api::names::NamespacedName;
use wk_api::well_known::DEFAULT_SERVICE_ACCOUNT;
use wk_client::{Informer, Outcome, WorkQueue};

use crate::{Shell, unless_gone};
use plan::plan;

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AccountView {
    pub(crate) uid: String,
}

impl AccountView {
    pub(crate) fn of(account: &ServiceAccount) -> Self {
        Self { uid: account.metadata.uid.clone().unwrap_or_default() }
    }
}

/// All accounts.
pub(crate) fn watch(watching: &Client, shell: &Shell) -> Informer<AccountView> {
    Informer::projected(
        Api::<ServiceAccount>::all(watching.clone()),
        watcher::Config::default(),
        &shell.group,
        |account| Some(AccountView::of(&account)),
    )
}

pub(crate) fn run(client: Client, accounts: Informer<AccountView>, shell: &Shell) {
    let queue = WorkQueue::<String>::default();
    let from_namespace = queue.clone();
    shell.watched.namespaces.on_change(move |key| from_namespace.add(key.name.clone()));
    let from_account = queue.clone();
    accounts.on_change(move |key| {
        if key.name == DEFAULT_SERVICE_ACCOUNT {
            from_account.add(key.namespace.clone().unwrap_or_default());
        }
    });
    let watched = Arc::clone(&shell.watched);
    shell.run("service-account", &queue, 8, move |namespace| {
        let (client, accounts, watched) = (client.clone(), accounts.clone(), Arc::clone(&watched));
        async move {
            accounts.ready().await;
            let key = NamespacedName::new(namespace.as_str(), DEFAULT_SERVICE_ACCOUNT);
            let seen = watched.namespaces.get_cluster(&namespace);
            if plan(seen.as_deref(), accounts.get(&key).is_some()) {
                create(client, &namespace).await?;
            }
            Ok(Outcome::Done)
        }
    });
}

async fn create(client: Client, namespace: &str) -> Result<(), kube::Error> {
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(DEFAULT_SERVICE_ACCOUNT.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let api = Api::namespaced(client, namespace);
    match api.create(&PostParams::default(), &account).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => unless_gone(other),
    }
}
