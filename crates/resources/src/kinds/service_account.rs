//! Service accounts.

use jiff::Timestamp;
use serde_json::Value;

use super::define;
use crate::definition::{Column, Definition};
use crate::look::Look;
use crate::rules::KindRules;
use crate::table;

/// The definition of the kind.
pub(super) fn definition() -> Definition {
    define("", "v1", "ServiceAccount")
        .short(&["sa"])
        .shows([Column::int("Secrets", "The secrets that pods of this account may use.")])
        .rules(ServiceAccounts)
        .sub("token", ("authentication.k8s.io", "v1", "TokenRequest"), &["create"])
}

#[derive(Debug)]
struct ServiceAccounts;

impl KindRules for ServiceAccounts {
    fn row(&self, account: &Value, now: Timestamp) -> Vec<Value> {
        let secrets = account.items("secrets").len();
        vec![table::name(account), secrets.into(), table::age(account, now)]
    }
}
