//! What becomes of a secret that is to hold a token.

use k8s_openapi::api::core::v1::Secret;
use wk_api::well_known::SERVICE_ACCOUNT_NAME_ANNOTATION;

use crate::service_account::AccountView;

pub(super) const TYPE: &str = "kubernetes.io/service-account-token";
/// The annotation that says which account of the name is meant.
pub(super) const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
/// What is in such a secret.
pub(super) const TOKEN: &str = "token";
pub(super) const CA: &str = "ca.crt";
pub(super) const NAMESPACE: &str = "namespace";

/// What is read of a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SecretView {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) account: String,
    /// The account that it has been filled for.
    pub(super) account_uid: Option<String>,
    pub(super) has_token: bool,
    /// Whether the CA and the namespace in it are right.
    pub(super) is_right: bool,
    pub(super) is_terminating: bool,
}

impl SecretView {
    /// `None` if it is not of the type, or names no account.
    pub(super) fn of(secret: &Secret, ca_pem: &str) -> Option<Self> {
        let meta = &secret.metadata;
        let annotations = meta.annotations.as_ref()?;
        let holds = |key: &str, wanted: &str| {
            secret
                .data
                .as_ref()
                .and_then(|data| data.get(key))
                .is_some_and(|own| own.0 == wanted.as_bytes())
        };
        let token = secret.data.as_ref().and_then(|data| data.get(TOKEN));
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let account = annotations.get(SERVICE_ACCOUNT_NAME_ANNOTATION).filter(|it| !it.is_empty());
        (secret.type_.as_deref() == Some(TYPE)).then_some(())?;
        Some(Self {
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            account: account?.clone(),
            account_uid: annotations.get(ACCOUNT_UID).filter(|it| !it.is_empty()).cloned(),
            has_token: token.is_some_and(|token| !token.0.is_empty()),
            is_right: holds(CA, ca_pem) && holds(NAMESPACE, namespace),
            is_terminating: meta.deletion_timestamp.is_some(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// What it lacks is put in.
    Fill,
    /// Its account is gone, and so is what it is good for.
    Remove,
}

pub(super) fn plan(secret: &SecretView, account: Option<&AccountView>) -> Step {
    let is_of =
        |account: &&AccountView| secret.account_uid.as_ref().is_none_or(|uid| *uid == account.uid);
    match account.filter(is_of) {
        _ if secret.is_terminating => Step::Nothing,
        None => Step::Remove,
        Some(_) if secret.has_token && secret.is_right && secret.account_uid.is_some() => {
            Step::Nothing
        }
        Some(_) => Step::Fill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_filled_for_its_account_and_goes_with_it() {
        let own = AccountView { uid: "1".to_owned() };
        let other = AccountView { uid: "2".to_owned() };
        let empty = SecretView::default();
        let full = SecretView {
            account_uid: Some("1".to_owned()),
            has_token: true,
            is_right: true,
            ..SecretView::default()
        };
        assert_eq!(plan(&empty, Some(&own)), Step::Fill);
        assert_eq!(plan(&full, Some(&own)), Step::Nothing);
        assert_eq!(plan(&full, Some(&other)), Step::Remove, "another account of the name");
        assert_eq!(plan(&full, None), Step::Remove);
        let wrong = SecretView { is_right: false, ..full.clone() };
        assert_eq!(plan(&wrong, Some(&own)), Step::Fill, "somebody changed the CA");
        let ending = SecretView { is_terminating: true, ..full };
        assert_eq!(plan(&ending, None), Step::Nothing);
    }
}
