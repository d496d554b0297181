//! Starting a host that outlives whoever started it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// The size from which a new host begins a new file of messages.
const LOG_BYTES: u64 = 1 << 20;

/// Starts a host where there is none.
#[async_trait]
pub trait Launch: Send + Sync + 'static {
    /// Returns once the host listens on its socket; somebody else's may have been faster.
    ///
    /// # Errors
    /// Why it does not.
    async fn launch(&self) -> io::Result<()>;
}

/// A host as a process that is nobody's child for long: it belongs to no terminal, and goes on when
/// whoever started it ends, in whatever way.
#[derive(Clone, Debug)]
pub struct HostProcess {
    /// What it calls itself.
    pub name: OsString,
    /// Program and arguments. It prints a line once it listens.
    pub command: Vec<OsString>,
    /// The file that its messages are appended to.
    pub log: PathBuf,
}

#[async_trait]
impl Launch for HostProcess {
    async fn launch(&self) -> io::Result<()> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command is configured"));
        };
        let log = self.open_log()?;
        let mut command = std::process::Command::new(program);
        command
            .arg0(&self.name)
            .args(arguments)
            .current_dir("/")
            // A backtrace for every error would cost on every request.
            .env_remove("RUST_BACKTRACE")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // What is typed on a terminal is not meant for it.
            .process_group(0);
        let mut child = tokio::process::Command::from(command).spawn()?;
        let Some(said) = child.stdout.take() else { return Ok(()) };
        let mut line = String::new();
        if BufReader::new(said).read_line(&mut line).await? > 0 {
            // From here on it is left alone; if it ends earlier than this process, the runtime
            // collects its status.
            return Ok(());
        }
        let status = child.wait().await?;
        let last = fs::read_to_string(&self.log).unwrap_or_default();
        let last = last.lines().last().unwrap_or_default();
        Err(io::Error::other(format!("it ended ({status}): {last}")))
    }
}

impl HostProcess {
    fn open_log(&self) -> io::Result<File> {
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_BYTES) {
            fs::rename(&self.log, self.log.with_extension("log.1"))?;
        }
        File::options().create(true).append(true).open(&self.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(folder: &tempfile::TempDir, script: &str) -> HostProcess {
        let command = ["/bin/sh", "-c", script].map(OsString::from).to_vec();
        HostProcess { name: "host".into(), command, log: folder.path().join("host.log") }
    }

    #[tokio::test]
    async fn a_host_that_says_a_word_is_there_and_one_that_ends_has_its_reason_told() {
        let folder = tempfile::tempdir().unwrap();
        process(&folder, "echo here; echo detail >&2").launch().await.unwrap();
        let script = "echo first >&2; echo 'no room' >&2; exit 3";
        let error = process(&folder, script).launch().await.unwrap_err().to_string();
        assert_eq!(error, "it ended (exit status: 3): no room");
        let log = fs::read_to_string(folder.path().join("host.log")).unwrap();
        assert!(log.contains("first\n"), "{log}");
    }

    #[tokio::test]
    async fn old_messages_make_room() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("host.log"), vec![b'x'; 2 << 20]).unwrap();
        process(&folder, "echo here").launch().await.unwrap();
        assert_eq!(fs::metadata(folder.path().join("host.log")).unwrap().len(), 0);
        assert!(folder.path().join("host.log.1").exists());
    }
}
