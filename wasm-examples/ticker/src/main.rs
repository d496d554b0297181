//! Prints the time of day (UTC) once a second, until somebody stops it.
//!
//! It is shipped as a plain WASI 0.1 module rather than a component: both run in a pod.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn main() {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        println!("{}", time_of_day(now));
        // To the next full second, so that neither drift nor a slow write adds up.
        thread::sleep(Duration::from_secs(now.as_secs() + 1).saturating_sub(now));
    }
}

fn time_of_day(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}
