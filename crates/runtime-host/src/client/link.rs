//! The connections of one session.

use std::borrow::Cow;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::frame::Connection;
use crate::socket::connect;
use crate::wire::{Answer, Call, Greeting, Request};

/// Connections that wait for the next call.
const IDLE: usize = 8;

/// A session with a host, and the connections that it has open.
#[derive(Debug)]
pub(super) struct Link {
    socket: PathBuf,
    session: String,
    idle: Mutex<Vec<Connection>>,
}

/// Connects to a host and lets it introduce itself.
///
/// # Errors
/// What the system said.
pub(super) async fn greeted(socket: &Path) -> io::Result<(Connection, Greeting)> {
    let connection = Connection::new(connect(socket).await?);
    let greeting = connection.expect().await?;
    Ok((connection, greeting))
}

impl Link {
    pub(super) fn new(socket: &Path, session: String) -> Self {
        Self { socket: socket.to_owned(), session, idle: Mutex::default() }
    }

    fn request<'a>(&'a self, call: Call<'a>) -> Request<'a> {
        Request::Call { session: Cow::Borrowed(&self.session), call }
    }

    /// Has a call carried out. Dropping the future drops the call at the host.
    ///
    /// # Errors
    /// If the host is gone, or has become another one.
    pub(super) async fn ask(&self, call: Call<'_>) -> io::Result<Answer> {
        let idle = self.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => greeted(&self.socket).await?.0,
        };
        connection.send(&self.request(call)).await?;
        let answer = connection.expect().await?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// Hands a call over whose other end is talked to further, with open files.
    ///
    /// # Errors
    /// If the host is gone.
    pub(super) async fn begin(
        &self,
        call: Call<'_>,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<Connection> {
        let (connection, _) = greeted(&self.socket).await?;
        connection.send_with(&self.request(call), files).await?;
        Ok(connection)
    }
}
