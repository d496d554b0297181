//! What is to be remembered of a request: who made it, as whom, and what admission noted on it.
//!
//! Notes come from deep inside and are collected beside the request, like warnings, under the names
//! that Kubernetes gives them in its audit events. Requests whose notes somebody should see are told
//! in the log, under the target `audit`: violations, and changes made in another's name. Others are
//! told where the log shows details, and those without notes never.

use std::collections::BTreeMap;
use std::future::Future;

use http::StatusCode;
use parking_lot::Mutex;
use tracing::{debug, info};
use wk_auth::User;

/// What was noted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    user: String,
    impersonated: Option<String>,
    annotations: BTreeMap<&'static str, String>,
    /// Whether somebody should see this.
    notable: bool,
}

tokio::task_local! {
    static NOTES: Mutex<Notes>;
}

/// Handles a request; gives what it came to and what was noted meanwhile.
pub(crate) async fn collected<F: Future>(request: F) -> (F::Output, Notes) {
    NOTES
        .scope(Mutex::default(), async {
            let output = request.await;
            let notes = NOTES.with(|notes| std::mem::take(&mut *notes.lock()));
            (output, notes)
        })
        .await
}

/// Notes who makes the request being handled, and as whom; outside of one nothing is noted.
pub(crate) fn asked_by(user: &User, acting: Option<&User>) {
    let _nobody = NOTES.try_with(|notes| {
        let mut notes = notes.lock();
        notes.user.clone_from(&user.name);
        notes.impersonated = acting.map(|acting| acting.name.clone());
    });
}

/// Notes a detail under the name that Kubernetes has for it.
pub(crate) fn detail(key: &'static str, value: String) {
    let _nobody = NOTES.try_with(|notes| notes.lock().annotations.insert(key, value));
}

/// Notes what somebody should see, under the name that Kubernetes has for it.
pub(crate) fn violation(key: &'static str, value: String) {
    detail(key, value);
    let _nobody = NOTES.try_with(|notes| notes.lock().notable = true);
}

impl Notes {
    /// Tells the log, if there is anything to tell.
    pub(crate) fn tell(&self, verb: &str, path: &str, status: StatusCode) {
        if self.annotations.is_empty() && self.impersonated.is_none() {
            return;
        }
        let Self { user, annotations, .. } = self;
        let acting = self.impersonated.as_deref().unwrap_or(user);
        let code = status.as_u16();
        let changes = !matches!(verb, "get" | "list" | "watch");
        if self.notable || changes && self.impersonated.is_some() {
            info!(target: "audit", user, acting, verb, path, code, ?annotations, "request");
        } else {
            debug!(target: "audit", user, acting, verb, path, code, ?annotations, "request");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notes_belong_to_the_request_that_caused_them() {
        violation("outside", "x".to_owned());
        let ((), notes) = collected(async {
            asked_by(&User::authenticated("boss", ["a"]), Some(&User::anonymous()));
            detail("k", "first".to_owned());
            violation("k", "last".to_owned());
        })
        .await;
        let expected = Notes {
            user: "boss".to_owned(),
            impersonated: Some(User::ANONYMOUS.to_owned()),
            annotations: BTreeMap::from([("k", "last".to_owned())]),
            notable: true,
        };
        assert_eq!(notes, expected);
    }
}
