//! The image of a container that starts: found on the node, or pulled.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use wk_client::EventType;
use wk_oci::{Credentials, Flavor, ImageReference, Progress, ProgressFn, PullError};

use super::{ERROR_SHOWN, Fault, Starting, fetch};
use crate::images::PullPolicy;
use crate::objects::ObjectKind;
use crate::plan::longer_backoff;
use crate::report;
use crate::shared::event_object;
use crate::state::{PullBackoff, WaitReason};
use crate::worker::go_duration;

/// After how long a pull is worth a word about its progress, and how often from then on.
const FIRST_NEWS: Duration = Duration::from_secs(10);
const NEWS_PERIOD: Duration = Duration::from_secs(30);

impl Starting<'_> {
    /// The image, pulled if the policy wants that.
    pub(super) async fn image(&self, flavor: Flavor) -> Result<Arc<wk_oci::Image>, Fault> {
        let name = self.container.image.as_deref().unwrap_or_default();
        let reference: ImageReference = match name.parse() {
            Ok(reference) => reference,
            Err(error) => {
                let error = wk_client::error_chain(&error);
                let message = format!("Failed to apply default image tag \"{name}\": {error}");
                self.warn("InspectFailed", &message);
                return Err(Fault::new(WaitReason::InvalidImageName, message));
            }
        };
        let policy = PullPolicy::of(self.container.image_pull_policy.as_deref(), &reference);
        let local = self.shared.images.local(&reference, flavor);
        match (policy, local) {
            (PullPolicy::IfNotPresent | PullPolicy::Never, Some(image)) => {
                let message = format!("Container image \"{name}\" already present on machine");
                self.note("Pulled", &message);
                Ok(image)
            }
            (PullPolicy::Never, None) => {
                let message =
                    format!("Container image \"{name}\" is not present with pull policy of Never");
                self.warn("ErrImageNeverPull", &message);
                Err(Fault::new(WaitReason::ErrImageNeverPull, message))
            }
            (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, None) => {
                self.pull(name, &reference, flavor).await
            }
        }
    }

    async fn pull(
        &self,
        name: &str,
        reference: &ImageReference,
        flavor: Flavor,
    ) -> Result<Arc<wk_oci::Image>, Fault> {
        let now = Timestamp::now();
        let waiting = {
            let inner = self.entry.lock();
            inner.records.get(self.index).and_then(|record| record.pull.clone())
        };
        if let Some(waiting) = waiting.as_deref().filter(|waiting| waiting.until > now) {
            self.event(EventType::Normal, "BackOff", &format!("Back-off pulling image \"{name}\""));
            self.warn("Failed", "Error: ImagePullBackOff");
            let message =
                format!("Back-off pulling image \"{name}\": ErrImagePull: {}", waiting.error);
            let rest = waiting.until.duration_since(now).unsigned_abs();
            let fault = Fault::new(WaitReason::ImagePullBackOff, message);
            return Err(Fault { retry: Some(rest), ..fault });
        }
        self.note("Pulling", &format!("Pulling image \"{name}\""));
        report::ask(self.shared, self.entry);
        let begun = Instant::now();
        let credentials = self.credentials().await;
        match self.pull_with_news(name, (reference, flavor), &credentials).await {
            Ok(image) => {
                let took = go_duration(begun.elapsed());
                self.note(
                    "Pulled",
                    &format!(
                        "Successfully pulled image \"{name}\" in {took} ({took} including \
                         waiting). Image size: {} bytes.",
                        image.size_bytes
                    ),
                );
                if let Some(record) = self.entry.lock().records.get_mut(self.index) {
                    record.pull = None;
                }
                Ok(image)
            }
            Err(error) => {
                let error = wk_client::error_chain(&error);
                let message = format!("Failed to pull image \"{name}\": {error}");
                self.warn("Failed", &message);
                self.warn("Failed", "Error: ErrImagePull");
                let delay = longer_backoff(waiting.map(|waiting| waiting.delay));
                let until = Timestamp::now() + delay;
                if let Some(record) = self.entry.lock().records.get_mut(self.index) {
                    let error = error.as_str().into();
                    record.pull = Some(Box::new(PullBackoff { until, delay, error }));
                }
                let fault = Fault::new(WaitReason::ErrImagePull, message);
                Err(Fault { retry: Some(ERROR_SHOWN), ..fault })
            }
        }
    }

    /// Pulls, and lets people know how far it is where that takes long.
    async fn pull_with_news(
        &self,
        name: &str,
        (reference, flavor): (&ImageReference, Flavor),
        credentials: &Credentials,
    ) -> Result<Arc<wk_oci::Image>, PullError> {
        let (sender, receiver) = watch::channel(None);
        let progress: ProgressFn = Arc::new(move |progress| {
            sender.send_replace(Some(progress));
        });
        let mut pulling = self.shared.images.pull(reference, flavor, credentials, progress);
        let mut next = Instant::now() + FIRST_NEWS;
        loop {
            tokio::select! {
                biased;
                pulled = &mut pulling => return pulled,
                () = sleep_until(next) => {}
            }
            next += NEWS_PERIOD;
            let progress = *receiver.borrow();
            if let Some(progress) = progress {
                let container = Some((self.container.name.as_str(), self.role));
                let object = event_object(&self.entry.key, container);
                let matter = format!("Pulling image \"{name}\": ");
                let news = format!("{matter}{}", shown(progress));
                self.shared.events.publish_progress(object, "Pulling", matter, news);
            }
        }
    }

    /// The logins of the pod's `imagePullSecrets`; what cannot be read is passed over with a word.
    pub(super) async fn credentials(&self) -> Credentials {
        let names: Vec<String> = self
            .spec
            .image_pull_secrets
            .iter()
            .flatten()
            .map(|reference| reference.name.clone())
            .filter(|name| !name.is_empty())
            .collect();
        let mut all = Credentials::anonymous();
        let wanted = names.iter().map(|name| (ObjectKind::Secret, name.clone())).collect();
        let found = fetch(self.shared, self.entry, wanted).await.unwrap_or_default();
        for name in names {
            let data = found.get(&(ObjectKind::Secret, name.clone())).and_then(Option::as_deref);
            let keys = [".dockerconfigjson", ".dockercfg"];
            let json = data.and_then(|data| keys.iter().find_map(|key| data.values.get(*key)));
            if let Some(Ok(more)) = json.map(|json| Credentials::from_docker_config(json)) {
                all = all.and(more);
            } else {
                let message = format!(
                    "Unable to retrieve some image pull secrets ({name}); attempting to pull the \
                     image may not succeed."
                );
                self.warn("FailedToRetrieveImagePullSecret", &message);
            }
        }
        all
    }
}

/// `37% (12.3 MiB of 33.1 MiB)`.
fn shown(progress: Progress) -> String {
    let Progress { done_bytes, total_bytes } = progress;
    let percent = u128::from(done_bytes) * 100 / u128::from(total_bytes.max(1));
    let mib = |bytes: u64| {
        let tenths = u128::from(bytes) * 10 / (1 << 20);
        format!("{}.{} MiB", tenths / 10, tenths % 10)
    };
    format!("{percent}% ({} of {})", mib(done_bytes), mib(total_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_shown_in_percent_and_mebibytes() {
        let progress = Progress { done_bytes: 12_900_000, total_bytes: 34_700_000 };
        assert_eq!(shown(progress), "37% (12.3 MiB of 33.0 MiB)");
        let empty = Progress { done_bytes: 0, total_bytes: 0 };
        assert_eq!(shown(empty), "0% (0.0 MiB of 0.0 MiB)");
    }
}
