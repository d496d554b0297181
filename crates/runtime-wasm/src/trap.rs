//! What people are told of a guest that did not end well.

use std::fmt::Write as _;

use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wk_runtime::ExitReason;

use crate::compile::shortened;
use crate::meter::{MemoryLimitExceeded, Meter};

/// The most that a termination message may hold.
const MESSAGE_BYTES: usize = 4096;
/// Exit code of a program that trapped: what shells report for SIGABRT.
const CODE_TRAP: i32 = 134;
/// Exit code of a program that was interrupted: what shells report for SIGINT.
pub(crate) const CODE_INTERRUPTED: i32 = 130;
/// Exit code of a program that was ended by force.
pub(crate) const CODE_KILLED: i32 = 137;
/// Exit code of a program that ended because it was asked to: what shells report for SIGTERM.
pub(crate) const CODE_STOPPED: i32 = 143;

/// How a program ended, without the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: i32,
    pub(crate) reason: ExitReason,
    pub(crate) message: String,
}

impl Ending {
    pub(crate) fn code(code: i32) -> Self {
        let reason = if code == 0 { ExitReason::Completed } else { ExitReason::Error };
        Self { code, reason, message: String::new() }
    }

    pub(crate) fn out_of_memory(meter: &Meter) -> Self {
        let used = meter.memory_peak();
        Self {
            code: CODE_KILLED,
            reason: ExitReason::OomKilled,
            message: format!("memory limit exceeded; the most in use was {used} bytes"),
        }
    }

    /// The end of a program whose call returned an error.
    pub(crate) fn error(error: &Error, meter: &Meter) -> Self {
        if let Some(exit) = error.downcast_ref::<I32Exit>() {
            return Self::code(exit.0);
        }
        if meter.out_of_memory() || error.downcast_ref::<MemoryLimitExceeded>().is_some() {
            return Self::out_of_memory(meter);
        }
        Self { code: CODE_TRAP, reason: ExitReason::Error, message: describe(error) }
    }
}

/// Reason, message and backtrace of an error, for people.
pub(crate) fn describe(error: &Error) -> String {
    let mut text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>()
        && !backtrace.frames().is_empty()
    {
        // Writing to a string cannot fail.
        let _written = write!(text, "\nwasm backtrace:\n{backtrace}");
    }
    shortened(text.trim_end(), MESSAGE_BYTES).to_owned()
}
