//! The clock that interrupts guests.
//!
//! Compiled code compares the engine's epoch with its deadline at every loop and call. One thread
//! advances the epoch while guest code runs, and sleeps without any wake-up while none does, so
//! that idle pods cost nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// Time between two ticks: the longest that a guest runs before others get their turn.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// Ticks without guest code after which the thread goes to sleep.
const IDLE_TICKS: u32 = 20;

/// Ticks while at least one [`Running`] is alive.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

/// Guest code is being run by this thread.
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, seen) = (engine.clone(), Arc::clone(&shared));
        let handle = std::thread::Builder::new()
            .name("wk-wasm-epoch".to_owned())
            .stack_size(64 << 10)
            .spawn(move || tick(&engine, &seen))?;
        Ok(Self { shared, thread: handle.thread().clone(), handle: Some(handle) })
    }

    /// Says that guest code runs until the answer is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        // Both sides order "count, then look at the flag" and "flag, then look at the count", so
        // that one of them always sees the other.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }

    #[cfg(test)]
    fn asleep(&self) -> bool {
        self.shared.asleep.load(Ordering::SeqCst)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
        if let Some(handle) = self.handle.take() {
            // The thread cannot panic: it only counts.
            let _ended = handle.join();
        }
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.ended.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else {
            idle += 1;
        }
        if idle > IDLE_TICKS {
            shared.asleep.store(true, Ordering::SeqCst);
            while shared.running.load(Ordering::SeqCst) == 0 && !shared.ended.load(Ordering::SeqCst)
            {
                std::thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
        std::thread::park_timeout(TICK);
        engine.increment_epoch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Level, Role, engine};

    #[test]
    fn the_clock_sleeps_while_nothing_runs_and_wakes_for_a_guest() {
        let engine = engine(Level::Two, Role::Compiler).unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        while !ticker.asleep() {
            std::thread::yield_now();
        }
        let running = ticker.running();
        while ticker.asleep() {
            std::thread::yield_now();
        }
        drop(running);
        while !ticker.asleep() {
            std::thread::yield_now();
        }
    }
}
