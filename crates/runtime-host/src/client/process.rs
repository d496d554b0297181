//! The process of a host, which need not be a child of this one.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process that cannot be taken for another one that has its number later.
#[derive(Debug)]
pub(super) struct Process(AsyncFd<OwnedFd>);

impl Process {
    /// The process with this number.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn open(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
        let opened = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: the descriptor is owned and stays the same until both are dropped together.
        #[expect(unsafe_code, reason = "what is registered must not be closed meanwhile")]
        let registered = unsafe { AsyncFd::register_with_interest(opened, Interest::READABLE) }?;
        Ok(Self(registered))
    }

    /// Waits until it has ended. Cancel safe.
    pub(super) async fn ended(&self) {
        // It is readable from its end on.
        let _ready = self.0.readable().await;
    }

    /// Ends it by force.
    ///
    /// # Errors
    /// If it belongs to somebody else.
    pub(super) fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(self.0.get_ref(), Signal::KILL) {
            // It has ended by itself.
            Err(rustix::io::Errno::SRCH) => Ok(()),
            killed => killed.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_noticed() {
        let mut child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        process.kill().unwrap();
        process.ended().await;
        child.wait().unwrap();
        assert!(Process::open(0).is_err());
    }
}
