//! Who of several replicas acts: the holder of a Lease.
//!
//! Spec: <https://kubernetes.io/docs/concepts/architecture/leases/>

mod plan;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};
use wk_process::TaskGroup;

use crate::error_chain;
use crate::queue::LAST_WORDS;
use plan::{Observed, Step, plan};

/// Which lease to hold, as whom, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseSettings {
    /// The lease's namespace, usually `kube-system`.
    pub namespace: String,
    /// The lease's name, which is the component's.
    pub name: String,
    /// This replica, unlike every other.
    pub identity: String,
    /// How long a lease that is not renewed keeps others out.
    pub duration: Duration,
    /// How long the holder may fail to renew before it stops acting; less than `duration`.
    pub renew_deadline: Duration,
    /// The pause between attempts.
    pub retry_period: Duration,
}

impl LeaseSettings {
    /// The settings of Kubernetes' own components: 15 s, 10 s and 2 s, in `kube-system`.
    pub fn new(name: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            namespace: wk_api::well_known::SYSTEM_NAMESPACE.to_owned(),
            name: name.into(),
            identity: identity.into(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// Whether this replica acts. Clones tell the same.
///
/// It ends by the clock and not only by word of whoever renews it: a process that was stopped finds
/// that its time is over before it does anything more.
#[derive(Clone, Debug)]
pub struct Leadership {
    held: watch::Receiver<Held>,
    /// What [`Leadership::changed`] has told last.
    told: bool,
    term: Arc<AtomicU64>,
    acting: watch::Sender<usize>,
}

/// Somebody acts for this replica; see [`Leadership::act`].
#[derive(Debug)]
pub struct Acting {
    all: watch::Sender<usize>,
}

impl Drop for Acting {
    fn drop(&mut self) {
        self.all.send_modify(|acting| *acting -= 1);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Not,
    Until(Instant),
    ForGood,
}

impl Held {
    fn is_held(self) -> bool {
        match self {
            Self::Not => false,
            Self::Until(end) => Instant::now() < end,
            Self::ForGood => true,
        }
    }

    /// Waits until the time is over. Polled, it looks at the clock: timers may fire later.
    async fn over(self) {
        match self {
            Self::Not => {}
            Self::ForGood => std::future::pending().await,
            Self::Until(end) => {
                let mut timer = pin!(tokio::time::sleep_until(end));
                poll_fn(|context| {
                    if self.is_held() { timer.as_mut().poll(context) } else { Poll::Ready(()) }
                })
                .await;
            }
        }
    }
}

impl Leadership {
    /// The leadership of a replica that has no others beside it.
    pub fn alone() -> Self {
        let held = watch::Sender::new(Held::ForGood).subscribe();
        Self { held, told: true, term: Arc::default(), acting: watch::Sender::new(0) }
    }

    /// How often this replica's leadership has begun. What was known in an earlier term may have been
    /// changed by another replica since.
    pub fn term(&self) -> u64 {
        self.term.load(Ordering::Acquire)
    }

    /// Whether this replica may act now.
    pub fn is_held(&self) -> bool {
        self.held.borrow().is_held()
    }

    /// Waits until this replica may act. Cancel safe.
    pub async fn acquired(&mut self) {
        self.until(true).await;
    }

    /// Waits until this replica may act. While what this returns lives, a replica that ends does not
    /// let go of its lease, for a moment: its last writes are not to come after another's first look.
    /// Cancel safe.
    pub async fn act(&mut self) -> Acting {
        self.acquired().await;
        self.acting.send_modify(|acting| *acting += 1);
        Acting { all: self.acting.clone() }
    }

    /// Waits until this replica may not act any more. Cancel safe.
    pub async fn lost(&mut self) {
        self.until(false).await;
    }

    /// Waits until this replica's leadership begins or ends, or has since this told of it last. Cancel
    /// safe.
    pub async fn changed(&mut self) {
        self.until(!self.told).await;
        self.told = !self.told;
    }

    async fn until(&mut self, wanted: bool) {
        loop {
            let held = *self.held.borrow_and_update();
            if held.is_held() == wanted {
                return;
            }
            let over =
                async { if wanted { std::future::pending().await } else { held.over().await } };
            tokio::select! {
                biased;
                () = over => {}
                changed = self.held.changed() => {
                    if changed.is_err() && wanted {
                        // The elector is gone: this replica acts no more.
                        std::future::pending::<()>().await;
                    } else if changed.is_err() {
                        held.over().await;
                    }
                }
            }
        }
    }
}

/// Holds a Lease, or waits for it, for as long as its group lives.
#[derive(Debug)]
pub struct LeaderElector;

impl LeaderElector {
    /// Starts to compete for the lease in a task of `group`, and lets go of it at the end.
    pub fn start(client: Client, settings: LeaseSettings, group: &TaskGroup) -> Leadership {
        let (sender, held) = watch::channel(Held::Not);
        let term = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&term);
        let acting = watch::Sender::new(0);
        let mut at_work = acting.subscribe();
        let token = group.token();
        group.spawn(format!("lease {}", settings.name), async move {
            let mut elector = Elector {
                api: Api::namespaced(client, &settings.namespace),
                settings,
                seen: None,
                renewed: None,
            };
            let mut was_held = false;
            loop {
                elector.step().await;
                let now = elector.ends_at().map_or(Held::Not, Held::Until);
                if now.is_held() && !sender.borrow().is_held() {
                    // Before anybody acts in it.
                    counted.fetch_add(1, Ordering::AcqRel);
                }
                sender.send_replace(now);
                let is_held = now.is_held();
                if is_held != was_held {
                    info!(lease = %elector.settings.name, held = is_held, "leadership");
                    was_held = is_held;
                }
                // Others may lead from a certain moment on, whatever is being waited for then.
                let next = Instant::now() + elector.settings.retry_period;
                let next = elector.ends_at().filter(|_| is_held).map_or(next, |end| end.min(next));
                tokio::select! {
                    biased;
                    () = token.cancelled() => break,
                    () = tokio::time::sleep_until(next) => {}
                }
            }
            let rest = async { at_work.wait_for(|acting| *acting == 0).await.is_ok() };
            let _late = tokio::time::timeout(LAST_WORDS, rest).await.is_err();
            sender.send_replace(Held::Not);
            elector.release().await;
            Ok(())
        });
        Leadership { held, told: false, term, acting }
    }
}

struct Elector {
    api: Api<Lease>,
    settings: LeaseSettings,
    /// The lease as last seen, and when it was first seen so: clocks of others are not trusted.
    seen: Option<(LeaseSpec, Instant)>,
    /// When this replica last wrote itself into the lease.
    renewed: Option<Instant>,
}

impl Elector {
    /// Until when this replica acts, if it does not renew before.
    fn ends_at(&self) -> Option<Instant> {
        self.renewed.map(|at| at + self.settings.renew_deadline)
    }

    async fn step(&mut self) {
        let now = Instant::now();
        let patience = now + self.settings.renew_deadline / 2;
        let end = self.ends_at().filter(|end| now < *end).map_or(patience, |end| end.min(patience));
        match tokio::time::timeout_at(end, self.compete()).await {
            Ok(Ok(())) => {}
            // Another replica was faster, which is how a competition goes.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                debug!(lease = %self.settings.name, "another replica was faster");
            }
            Ok(Err(error)) => {
                warn!(lease = %self.settings.name, error = error_chain(&error), "cannot renew");
            }
            Err(_) => warn!(lease = %self.settings.name, "cannot renew: no answer in time"),
        }
    }

    async fn compete(&mut self) -> Result<(), kube::Error> {
        let started = Instant::now();
        let lease = self.api.get_opt(&self.settings.name).await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != spec) {
            self.seen = Some((spec.clone(), started));
        }
        let unchanged_for = self.seen.as_ref().map_or(Duration::ZERO, |(_, at)| started - *at);
        let observed = lease
            .as_ref()
            .map(|_| Observed { holder: spec.holder_identity.as_deref(), unchanged_for });
        let duration = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(self.settings.duration, Duration::from_secs);
        let step = plan(observed, &self.settings.identity, duration);
        let params = PostParams::default();
        match (step, lease) {
            (Step::Wait, _) => {
                self.renewed = None;
                return Ok(());
            }
            (Step::Renew | Step::TakeOver, Some(mut lease)) => {
                lease.spec = Some(self.spec(&spec, step));
                self.api.replace(&self.settings.name, &params, &lease).await?;
            }
            (Step::Create | Step::Renew | Step::TakeOver, _) => {
                let metadata = ObjectMeta {
                    name: Some(self.settings.name.clone()),
                    namespace: Some(self.settings.namespace.clone()),
                    ..ObjectMeta::default()
                };
                let spec = self.spec(&LeaseSpec::default(), Step::Create);
                self.api.create(&params, &Lease { metadata, spec: Some(spec) }).await?;
            }
        }
        self.renewed = Some(started);
        Ok(())
    }

    fn spec(&self, old: &LeaseSpec, step: Step) -> LeaseSpec {
        let now = Some(MicroTime(Timestamp::now()));
        let is_renewal = step == Step::Renew;
        let transitions = old.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
            acquire_time: if is_renewal { old.acquire_time.clone() } else { now.clone() },
            renew_time: now,
            lease_transitions: Some(transitions + i32::from(step == Step::TakeOver)),
            ..LeaseSpec::default()
        }
    }

    /// Lets go of the lease, so that another replica need not wait for its end.
    async fn release(&mut self) {
        if self.renewed.is_none() {
            return;
        }
        let release = async {
            let mut lease = self.api.get(&self.settings.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.settings.identity) {
                spec.holder_identity = Some(String::new());
                spec.lease_duration_seconds = Some(1);
                self.api.replace(&self.settings.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        // Nothing is lost if this fails: the lease ends by itself.
        if let Ok(Err(error)) = tokio::time::timeout(self.settings.retry_period, release).await {
            debug!(lease = %self.settings.name, error = error_chain(&error), "not released");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leadership(held: Held) -> (watch::Sender<Held>, Leadership) {
        let sender = watch::Sender::new(held);
        let held = sender.subscribe();
        (sender, Leadership { held, ..Leadership::alone() })
    }

    #[tokio::test(start_paused = true)]
    async fn leadership_ends_by_the_clock_unless_it_is_renewed() {
        let end = |seconds| Held::Until(Instant::now() + Duration::from_secs(seconds));
        let (sender, mut leadership) = leadership(end(10));
        assert!(leadership.is_held());
        sender.send_replace(end(20));
        let start = Instant::now();
        leadership.lost().await;
        assert_eq!(start.elapsed().as_secs(), 20);
        assert!(!leadership.is_held(), "nobody has said so");
        sender.send_replace(end(5));
        leadership.acquired().await;
        drop(sender);
        leadership.changed().await;
        assert!(!leadership.is_held(), "nobody renews it any more");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_slept_past_its_end_acts_no_more_though_no_timer_has_fired() {
        let (_sender, mut leadership) = leadership(Held::Until(Instant::now()));
        let work = async { panic!("it may not act") };
        tokio::select! {
            biased;
            () = leadership.lost() => {}
            () = work => {}
        }
        assert!(Leadership::alone().is_held());
    }
}
