//! Fills secrets of the type `kubernetes.io/service-account-token`: a token of their account that is good
//! for as long as the secret is there, with the cluster's CA and the namespace. They go with the account.
//!
//! The token is asked for at the API like any other, bound to the secret.
//!
//! Spec: <https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets>

mod plan;

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use tracing::info;
use wk_api::names::NamespacedName;
use wk_client::{Informer, Outcome, WorkQueue};

use crate::service_account::AccountView;
use crate::{Shell, conflict_is_later, is_gone, unless_gone};
use plan::{ACCOUNT_UID, CA, NAMESPACE, SecretView, Step, TOKEN, TYPE, plan};

/// The longest life that a token can be asked for, in seconds: more than a century.
const LIFE: i64 = 1 << 32;

struct Context {
    client: Client,
    ca_pem: String,
    secrets: Informer<SecretView>,
    accounts: Informer<AccountView>,
}

pub(crate) fn run(client: Client, ca_pem: String, accounts: Informer<AccountView>, shell: &Shell) {
    let expected = ca_pem.clone();
    let secrets = Informer::projected(
        Api::<Secret>::all(client.clone()),
        watcher::Config::default().fields(&format!("type={TYPE}")),
        &shell.group,
        move |secret| SecretView::of(&secret, &expected),
    );
    let queue = WorkQueue::<NamespacedName>::default();
    let from_secret = queue.clone();
    secrets.on_change(move |key| from_secret.add(key.clone()));
    let (from_account, seen) = (queue.clone(), secrets.clone());
    accounts.on_change(move |key| {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        for secret in seen.in_namespace(namespace).iter().filter(|one| one.account == key.name) {
            from_account.add(NamespacedName::new(namespace, secret.name.as_str()));
        }
    });
    let context = Arc::new(Context { client, ca_pem, secrets, accounts });
    shell.run("service-account-token", &queue, 5, move |key| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(Box::pin(context.reconcile(&key)).await) }
    });
}

impl Context {
    async fn reconcile(&self, key: &NamespacedName) -> Result<Outcome, kube::Error> {
        self.secrets.ready().await;
        self.accounts.ready().await;
        let Some(secret) = self.secrets.get(key) else { return Ok(Outcome::Done) };
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let account = self.accounts.get(&NamespacedName::new(namespace, secret.account.as_str()));
        match plan(&secret, account.as_deref()) {
            Step::Nothing => {}
            Step::Fill => self.fill(namespace, &key.name).await?,
            Step::Remove => self.remove(namespace, &key.name, &secret).await?,
        }
        Ok(Outcome::Done)
    }

    async fn fill(&self, namespace: &str, name: &str) -> Result<(), kube::Error> {
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let Some(mut secret) = api.get_opt(name).await? else { return Ok(()) };
        let Some(seen) = SecretView::of(&secret, &self.ca_pem) else { return Ok(()) };
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let Some(account) = accounts.get_opt(&seen.account).await? else { return Ok(()) };
        let view = AccountView::of(&account);
        if plan(&seen, Some(&view)) != Step::Fill {
            return Ok(());
        }
        let mut data = secret.data.take().unwrap_or_default();
        if !seen.has_token {
            let token = self.token(&accounts, &seen, secret.metadata.uid.clone()).await?;
            data.insert(TOKEN.to_owned(), ByteString(token.into_bytes()));
        }
        data.insert(CA.to_owned(), ByteString(self.ca_pem.clone().into_bytes()));
        data.insert(NAMESPACE.to_owned(), ByteString(namespace.as_bytes().to_vec()));
        secret.data = Some(data);
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.insert(ACCOUNT_UID.to_owned(), view.uid);
        // Conditional on the version that was read.
        unless_gone(api.replace(name, &PostParams::default(), &secret).await)?;
        info!(secret = %NamespacedName::new(namespace, name), "filled with a token");
        Ok(())
    }

    async fn token(
        &self,
        accounts: &Api<ServiceAccount>,
        secret: &SecretView,
        uid: Option<String>,
    ) -> Result<String, kube::Error> {
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: Some(secret.name.clone()),
            uid,
        };
        let spec = TokenRequestSpec {
            audiences: None,
            bound_object_ref: Some(bound),
            expiration_seconds: Some(LIFE),
        };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let params = PostParams::default();
        let answer = accounts.create_token_request(&secret.account, &params, &request).await?;
        Ok(answer.status.and_then(|status| status.token).unwrap_or_default())
    }

    /// Removes a secret whose account is gone, or is another one of the name.
    async fn remove(
        &self,
        namespace: &str,
        name: &str,
        secret: &SecretView,
    ) -> Result<(), kube::Error> {
        // The account may be so new that it has not been seen.
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let account = accounts.get_opt(&secret.account).await?.map(|one| AccountView::of(&one));
        if plan(secret, account.as_ref()) != Step::Remove {
            return self.fill(namespace, name).await;
        }
        let preconditions =
            Some(Preconditions { uid: Some(secret.uid.clone()), resource_version: None });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        match api.delete(name, &params).await {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
        info!(secret = %NamespacedName::new(namespace, name), "removed with its account");
        Ok(())
    }
}
