//! What a container uses, and where it is made to stop: processor time and memory.
//!
//! All instances of a container share one [`Meter`]. Guests run inside [`metered`], which measures
//! the thread's processor clock around every poll and holds the guest back while its bucket is
//! empty; epoch interruption makes sure that no poll lasts longer than a tick.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use wasmtime::ResourceLimiter;
use wk_runtime::Limits;

use crate::ticker::Ticker;
use crate::traffic::Traffic;

/// The period over which a processor limit holds, as in the kernel's own scheduler.
const PERIOD: Duration = Duration::from_millis(100);
/// Host memory of one table element.
const TABLE_ELEMENT_BYTES: u64 = 8;
const NANOS_PER_MILLI_CORE_SECOND: u64 = 1_000_000;

/// Counts what all instances of one container use.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_limit: u64,
    memory: AtomicU64,
    memory_peak: AtomicU64,
    out_of_memory: AtomicBool,
    cpu_nanos: AtomicU64,
    bucket: Option<Mutex<Bucket>>,
    /// The requests that it serves, if it does.
    pub(crate) traffic: Traffic,
    /// Ends the container at once.
    pub(crate) kill: CancellationToken,
}

/// Processor time that may still be used; refilled steadily up to one period's worth.
#[derive(Debug)]
struct Bucket {
    /// Nanoseconds of processor time earned by a second of wall-clock time.
    per_second: u64,
    nanos: i64,
    filled: Option<Instant>,
}

impl Meter {
    pub(crate) fn new(limits: Limits, kill: CancellationToken) -> Self {
        let bucket = limits.cpu_millis.map(|millis| {
            let per_second = millis.max(1).saturating_mul(NANOS_PER_MILLI_CORE_SECOND);
            Mutex::new(Bucket { per_second, nanos: 0, filled: None })
        });
        Self {
            memory_limit: limits.memory_bytes.unwrap_or(u64::MAX),
            memory: AtomicU64::new(0),
            memory_peak: AtomicU64::new(0),
            out_of_memory: AtomicBool::new(false),
            cpu_nanos: AtomicU64::new(0),
            bucket,
            traffic: Traffic::default(),
            kill,
        }
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed))
    }

    /// Bytes held now.
    pub(crate) fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// The most bytes that were held at a time.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.memory_peak.load(Ordering::Relaxed)
    }

    /// Whether the container asked for more memory than it may have.
    pub(crate) fn out_of_memory(&self) -> bool {
        self.out_of_memory.load(Ordering::Acquire)
    }

    /// How long the container has to wait before it may run; `None` is not at all.
    fn pause(&self, now: Instant) -> Option<Duration> {
        self.bucket.as_ref().and_then(|bucket| bucket.lock().pause(now))
    }

    fn charge(&self, nanos: u64) {
        self.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
        if let Some(bucket) = &self.bucket {
            bucket.lock().nanos -= i64::try_from(nanos).unwrap_or(i64::MAX);
        }
    }

    /// Takes `bytes` more, or marks the container as out of memory and ends it.
    fn take_memory(&self, bytes: u64) -> bool {
        let taken = self.memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| *sum <= self.memory_limit)
        });
        if let Ok(before) = taken {
            self.memory_peak.fetch_max(before + bytes, Ordering::Relaxed);
            return true;
        }
        self.out_of_memory.store(true, Ordering::Release);
        self.kill.cancel();
        false
    }

    fn return_memory(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Bucket {
    fn pause(&mut self, now: Instant) -> Option<Duration> {
        let period = i64::try_from(self.earned(PERIOD)).unwrap_or(i64::MAX);
        match self.filled {
            // The first run starts with a full bucket.
            None => self.nanos = period,
            Some(filled) => {
                let earned = self.earned(now.saturating_duration_since(filled));
                let earned = i64::try_from(earned).unwrap_or(i64::MAX);
                self.nanos = self.nanos.saturating_add(earned).min(period);
            }
        }
        self.filled = Some(now);
        if self.nanos > 0 {
            return None;
        }
        let missing = u128::from(self.nanos.unsigned_abs()) + 1;
        let nanos = missing * 1_000_000_000 / u128::from(self.per_second) + 1;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn earned(&self, time: Duration) -> u64 {
        let nanos = time.as_nanos() * u128::from(self.per_second) / 1_000_000_000;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// Runs guest code: measured, throttled to the container's limit, and interruptible.
///
/// The guest is pinned by the caller, since a future that owns another one holds it twice.
pub(crate) async fn metered<F: Future>(
    meter: &Meter,
    ticker: &Ticker,
    mut guest: Pin<&mut F>,
) -> F::Output {
    let mut pause: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        loop {
            if let Some(waiting) = &mut pause {
                ready!(waiting.as_mut().poll(cx));
                pause = None;
            }
            if meter.bucket.is_some()
                && let Some(wait) = meter.pause(Instant::now())
            {
                pause = Some(Box::pin(sleep(wait)));
                continue;
            }
            let running = ticker.running();
            let before = thread_nanos();
            let polled = guest.as_mut().poll(cx);
            meter.charge(thread_nanos().saturating_sub(before));
            drop(running);
            return match polled {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => Poll::Pending,
            };
        }
    })
    .await
}

/// Processor time of the calling thread, in nanoseconds.
fn thread_nanos() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// The memory of one instance, counted against its container's limit and returned when dropped.
#[derive(Debug)]
pub(crate) struct Allotment {
    meter: Arc<Meter>,
    bytes: u64,
    /// What was granted last: the engine may fail to use it.
    granted: u64,
}

/// The guest asked for more memory than its container's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("memory limit of the container exceeded")]
pub(crate) struct MemoryLimitExceeded;

impl Allotment {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, bytes: 0, granted: 0 }
    }

    fn grow(&mut self, bytes: u64) -> wasmtime::Result<bool> {
        if self.meter.take_memory(bytes) {
            self.bytes += bytes;
            self.granted = bytes;
            return Ok(true);
        }
        self.granted = 0;
        // A trap rather than a refusal: the container ends anyway, and no handler of the guest's
        // for failed allocations should run first.
        Err(MemoryLimitExceeded.into())
    }

    /// Gives back what was granted last, because the engine could not have it.
    fn take_back(&mut self) {
        let granted = std::mem::take(&mut self.granted);
        self.bytes -= granted;
        self.meter.return_memory(granted);
    }
}

impl Drop for Allotment {
    fn drop(&mut self) {
        self.meter.return_memory(self.bytes);
    }
}

impl ResourceLimiter for Allotment {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.grow(desired.saturating_sub(current) as u64)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let elements = desired.saturating_sub(current) as u64;
        self.grow(elements.saturating_mul(TABLE_ELEMENT_BYTES))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_empty_bucket_fills_at_the_rate_of_the_limit() {
        let meter = Meter::new(
            Limits { memory_bytes: None, cpu_millis: Some(100) },
            CancellationToken::new(),
        );
        let start = Instant::now();
        assert_eq!(meter.pause(start), None, "a full bucket at first");
        // One period earns 10 ms; 15 ms leave a debt of 5 ms, which takes 50 ms to earn.
        meter.charge(15_000_000);
        let wait = meter.pause(start).unwrap();
        assert_eq!(wait.as_millis(), 50);
        assert_eq!(meter.pause(start + wait), None);
    }

    #[test]
    fn memory_of_all_instances_counts_together() {
        let limits = Limits { memory_bytes: Some(100), cpu_millis: None };
        let meter = Arc::new(Meter::new(limits, CancellationToken::new()));
        let mut first = Allotment::new(Arc::clone(&meter));
        let mut second = Allotment::new(Arc::clone(&meter));
        assert!(first.memory_growing(0, 60, None).unwrap());
        assert!(second.memory_growing(0, 40, None).unwrap());
        drop(first);
        assert_eq!(meter.memory(), 40);
        assert!(second.memory_growing(40, 50, None).unwrap());
        second.memory_grow_failed(wasmtime::Error::msg("no room")).unwrap();
        assert_eq!(meter.memory(), 40, "what the engine could not have is not held");
        assert!(!meter.out_of_memory());
        assert!(second.memory_growing(40, 101, None).is_err());
        assert!(meter.out_of_memory());
        assert!(meter.kill.is_cancelled());
        assert_eq!(meter.memory_peak(), 100);
    }
}
