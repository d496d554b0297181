//! Pods run as a service account that is there, and get what comes with it.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng as _;
use serde_json::{Value, json};
use wk_api::{ApiError, GroupResource, well_known};
use wk_resources::{Update, metadata};

use super::{Attributes, Place, Plugin, items, list_mut, text};

const ACCOUNTS: Place = ("", "v1", "serviceaccounts");
/// Where containers find their token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME: &str = "kube-api-access-";
/// How long a token is good for, in seconds; kubelets renew it before. The odd seven mark tokens
/// that nobody asked for.
const TOKEN_SECONDS: i64 = 3607;
/// The annotation of an account whose pods may use only the secrets it lists.
const ONLY_LISTED: &str = "kubernetes.io/enforce-mountable-secrets";
/// How long a pod waits for the account of a namespace that has just been made.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct ServiceAccount;

#[async_trait]
impl Plugin for ServiceAccount {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        let part = attributes.part;
        attributes.is_new_pod()
            || attributes.is_kind("", "pods") && part == Update::Subresource("ephemeralcontainers")
    }

    async fn mutate(&self, attributes: &Attributes<'_>, pod: &mut Value) -> Result<(), ApiError> {
        if !attributes.creates() || is_mirror(pod) {
            return Ok(());
        }
        if text(&pod["spec"], "serviceAccountName").is_empty() {
            for field in ["serviceAccount", "serviceAccountName"] {
                pod["spec"][field] = well_known::DEFAULT_SERVICE_ACCOUNT.into();
            }
        }
        let account = account(attributes, pod).await?;
        if automounts(&account, pod) {
            mount_token(pod, &format!("{TOKEN_VOLUME}{}", suffix()));
        }
        let secrets = &account["imagePullSecrets"];
        if items(&pod["spec"], "imagePullSecrets").is_empty()
            && secrets.as_array().is_some_and(|secrets| !secrets.is_empty())
        {
            pod["spec"]["imagePullSecrets"] = secrets.clone();
        }
        Ok(())
    }

    async fn validate(&self, attributes: &Attributes<'_>, pod: &Value) -> Result<(), ApiError> {
        if is_mirror(pod) {
            return match refused_mirror(pod) {
                Some(why) if attributes.creates() => Err(attributes.forbidden(pod, why)),
                Some(_) | None => Ok(()),
            };
        }
        let account = account(attributes, pod).await?;
        if account["metadata"]["annotations"][ONLY_LISTED] != "true" {
            return Ok(());
        }
        unlisted_secret(pod, &account).map_or(Ok(()), |why| Err(attributes.forbidden(pod, &why)))
    }
}

fn is_mirror(pod: &Value) -> bool {
    pod["metadata"]["annotations"][well_known::MIRROR_POD_ANNOTATION].is_string()
}

/// The account of a pod. That of a new namespace is about to be made, and is waited for.
async fn account(attributes: &Attributes<'_>, pod: &Value) -> Result<Value, ApiError> {
    let name = text(&pod["spec"], "serviceAccountName");
    let namespace = attributes.namespace;
    let missing = || {
        let kind = GroupResource::new("", "serviceaccount");
        let error = ApiError::not_found(&kind, name);
        let why = format!("error looking up service account {namespace}/{name}: {error}");
        attributes.forbidden(pod, &why)
    };
    let (group, version, plural) = ACCOUNTS;
    let accounts = attributes.server.catalog.get(group, version, plural).ok_or_else(missing)?;
    let key = accounts.key(namespace, name);
    let mut bell = accounts.shelf.subscribe();
    let appears = async {
        loop {
            bell.borrow_and_update();
            if let Some(account) = accounts.shelf.get(&key) {
                return Some(account.value());
            }
            bell.changed().await.ok()?;
        }
    };
    let found = tokio::time::timeout(PATIENCE, appears).await;
    found.ok().flatten().ok_or_else(missing)
}

fn suffix() -> String {
    let mut rng = rand::rng();
    let alphabet = metadata::NAME_SUFFIX_ALPHABET;
    let letters = (0..metadata::NAME_SUFFIX_LENGTH)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]));
    letters.collect()
}

/// Whether a pod is to get its account's token: by its own word, by the account's, or by default.
fn automounts(account: &Value, pod: &Value) -> bool {
    let word = |value: &Value| value["automountServiceAccountToken"].as_bool();
    word(&pod["spec"]).or_else(|| word(account)).unwrap_or(true)
}

/// Mounts the account's token where programs look for it, unless something is mounted there.
fn mount_token(pod: &mut Value, fresh_name: &str) {
    let volumes = items(&pod["spec"], "volumes");
    let own = volumes.iter().map(|volume| text(volume, "name"));
    let own = own.filter(|name| name.starts_with(TOKEN_VOLUME)).map(str::to_owned).next();
    let has_volume = own.is_some();
    let name = own.unwrap_or_else(|| fresh_name.to_owned());
    let mut needed = false;
    for list in ["initContainers", "containers"] {
        if items(&pod["spec"], list).is_empty() {
            continue;
        }
        for container in list_mut(&mut pod["spec"], list) {
            let mounts = items(container, "volumeMounts");
            if mounts.iter().any(|mount| mount["mountPath"] == TOKEN_PATH) {
                continue;
            }
            let mount = json!({"name": name, "readOnly": true, "mountPath": TOKEN_PATH});
            list_mut(container, "volumeMounts").push(mount);
            needed = true;
        }
    }
    if needed && !has_volume {
        list_mut(&mut pod["spec"], "volumes").push(token_volume(&name));
    }
}

fn token_volume(name: &str) -> Value {
    let namespace = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    json!({"name": name, "projected": {"defaultMode": 0o644, "sources": [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
        {"configMap": {
            "name": well_known::ROOT_CA_CONFIG_MAP,
            "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]}})
}

/// Why a mirror pod is refused: it only tells of a pod that a kubelet has, and is given nothing.
fn refused_mirror(pod: &Value) -> Option<&'static str> {
    let spec = &pod["spec"];
    if !text(spec, "serviceAccountName").is_empty() {
        return Some("a mirror pod may not reference service accounts");
    }
    if !secrets(spec).is_empty() {
        return Some("a mirror pod may not reference secrets");
    }
    let projections =
        items(spec, "volumes").iter().flat_map(|volume| items(&volume["projected"], "sources"));
    let mut projections = projections.map(|source| &source["serviceAccountToken"]);
    projections
        .any(Value::is_object)
        .then_some("a mirror pod may not use ServiceAccountToken volume projections")
}

/// The secrets that a pod uses, each with how a refusal tells of it; the account's name is put in
/// for `{}`.
fn secrets(spec: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for volume in items(spec, "volumes") {
        let name = text(&volume["secret"], "secretName");
        if !name.is_empty() {
            found.push((name.to_owned(), format!("volume with secret.secretName={name:?}")));
        }
        for source in items(&volume["projected"], "sources") {
            let name = text(&source["secret"], "name");
            if !name.is_empty() {
                found.push((name.to_owned(), format!("volume with secret.secretName={name:?}")));
            }
        }
    }
    for (list, what) in [
        ("initContainers", "init container"),
        ("containers", "container"),
        ("ephemeralContainers", "ephemeral container"),
    ] {
        for container in items(spec, list) {
            let of = text(container, "name");
            for variable in items(container, "env") {
                let name = text(&variable["valueFrom"]["secretKeyRef"], "name");
                if !name.is_empty() {
                    let variable = text(variable, "name");
                    let shown = format!(
                        "{what} {of} with envVar {variable} referencing secret.secretName={name:?}"
                    );
                    found.push((name.to_owned(), shown));
                }
            }
            for source in items(container, "envFrom") {
                let name = text(&source["secretRef"], "name");
                if !name.is_empty() {
                    let shown =
                        format!("{what} {of} with envFrom referencing secret.secretName={name:?}");
                    found.push((name.to_owned(), shown));
                }
            }
        }
    }
    found
}

/// Why a pod is refused whose account lists the secrets that its pods may use.
fn unlisted_secret(pod: &Value, account: &Value) -> Option<String> {
    let spec = &pod["spec"];
    let names = |field: &str| -> BTreeSet<String> {
        items(account, field).iter().map(|secret| text(secret, "name").to_owned()).collect()
    };
    let name = text(&account["metadata"], "name");
    let listed = names("secrets");
    for (secret, shown) in secrets(spec) {
        if !listed.contains(&secret) {
            return Some(format!(
                "{shown} is not allowed because service account {name} does not reference that \
                 secret"
            ));
        }
    }
    let listed = names("imagePullSecrets");
    for (index, secret) in items(spec, "imagePullSecrets").iter().enumerate() {
        let secret = text(secret, "name");
        if !listed.contains(secret) {
            return Some(format!(
                "imagePullSecrets[{index}].name={secret:?} is not allowed because service account \
                 {name} does not reference that imagePullSecret"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_mounted_into_every_container_that_has_nothing_there() {
        let mut pod = json!({"spec": {
            "initContainers": [{"name": "i"}],
            "containers": [
                {"name": "a"},
                {"name": "b", "volumeMounts": [{"name": "own", "mountPath": TOKEN_PATH}]},
            ],
        }});
        mount_token(&mut pod, "kube-api-access-x");
        let spec = &pod["spec"];
        let mount = json!({"name": "kube-api-access-x", "readOnly": true, "mountPath": TOKEN_PATH});
        assert_eq!(spec["initContainers"][0]["volumeMounts"], json!([mount]));
        assert_eq!(spec["containers"][0]["volumeMounts"], json!([mount]));
        assert_eq!(spec["containers"][1]["volumeMounts"][0]["name"], "own");
        assert_eq!(spec["volumes"], json!([token_volume("kube-api-access-x")]));
        let once = pod.clone();
        mount_token(&mut pod, "kube-api-access-y");
        assert_eq!(pod, once, "twice changes nothing");
    }

    #[test]
    fn the_pod_has_the_last_word_on_its_token() {
        for (account, pod, expected) in [
            (json!({}), json!({}), true),
            (json!({"automountServiceAccountToken": false}), json!({}), false),
            (
                json!({"automountServiceAccountToken": false}),
                json!({"automountServiceAccountToken": true}),
                true,
            ),
            (json!({}), json!({"automountServiceAccountToken": false}), false),
        ] {
            assert_eq!(automounts(&account, &json!({"spec": pod})), expected, "{account} {pod}");
        }
    }

    #[test]
    fn an_account_can_limit_its_pods_to_its_secrets() {
        let account = json!({
            "metadata": {"name": "robot"},
            "secrets": [{"name": "mine"}],
            "imagePullSecrets": [{"name": "pull"}],
        });
        let refused = |spec: Value| unlisted_secret(&json!({"spec": spec}), &account);
        let volume = |name: &str| json!({"volumes": [{"secret": {"secretName": name}}]});
        assert_eq!(refused(volume("mine")), None);
        assert_eq!(
            refused(volume("other")).as_deref(),
            Some(
                "volume with secret.secretName=\"other\" is not allowed because service account \
                 robot does not reference that secret"
            )
        );
        let env = json!({"containers": [{"name": "c", "env": [
            {"name": "E", "valueFrom": {"secretKeyRef": {"name": "other"}}},
        ]}]});
        assert!(refused(env).unwrap().starts_with("container c with envVar E referencing secret"));
        assert_eq!(refused(json!({"imagePullSecrets": [{"name": "pull"}]})), None);
        let pull = refused(json!({"imagePullSecrets": [{"name": "mine"}]})).unwrap();
        assert!(pull.starts_with("imagePullSecrets[0].name=\"mine\""), "{pull}");
    }

    #[test]
    fn mirror_pods_are_given_nothing() {
        let refused = |spec: Value| refused_mirror(&json!({"spec": spec}));
        assert_eq!(refused(json!({})), None);
        assert!(refused(json!({"serviceAccountName": "x"})).unwrap().contains("accounts"));
        let secret = json!({"volumes": [{"secret": {"secretName": "x"}}]});
        assert!(refused(secret).unwrap().contains("secrets"));
    }
}
