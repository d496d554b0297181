//! One client of the echo server: what came in and has not gone out yet.

use echo_tcp::Connection;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::StreamError;

/// How much of a client's data is held at a time: more is read once this has been sent back.
const CHUNK: u64 = 16 * 1024;

/// A connection and the data that is still owed to it.
#[derive(Debug)]
pub struct Echo {
    connection: Connection,
    owed: Vec<u8>,
}

impl Echo {
    /// A client that has sent nothing yet.
    pub fn new(connection: Connection) -> Self {
        Self { connection, owed: Vec::new() }
    }

    /// Ready when [`advance`](Self::advance) has something to do.
    pub fn ready(&self) -> Pollable {
        if self.owed.is_empty() {
            self.connection.input.subscribe()
        } else {
            self.connection.output.subscribe()
        }
    }

    /// Reads or sends what is possible without waiting.
    ///
    /// # Errors
    /// The client closed the connection, or it broke.
    pub fn advance(&mut self) -> Result<(), StreamError> {
        if self.owed.is_empty() {
            self.owed = self.connection.input.read(CHUNK)?;
        }
        let room = usize::try_from(self.connection.output.check_write()?).unwrap_or(usize::MAX);
        let sent = room.min(self.owed.len());
        if sent > 0 {
            self.connection.output.write(&self.owed[..sent])?;
            self.connection.output.flush()?;
            self.owed.drain(..sent);
        }
        Ok(())
    }
}
