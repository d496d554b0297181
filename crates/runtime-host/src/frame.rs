//! Messages on a connection: a length of four bytes, then JSON, and with it perhaps open files.
//!
//! JSON, because the two ends may be of different versions: a field that one of them does not know is
//! passed over. Messages are few and small; what programs read and write takes another way.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The longest message: a list of all containers of a node is far below it.
const MOST_BYTES: usize = 64 << 20;
/// Open files that come with one message: a program's standard streams.
const MOST_FILES: usize = 3;
const HEAD: usize = 4;

/// One end of a connection. It is used by one sender and one receiver at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// The user and process at the other end.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn peer(&self) -> io::Result<tokio::net::unix::UCred> {
        self.stream.peer_cred()
    }

    /// Sends a message. Not cancel safe: what was begun must be finished, or nothing sent any more.
    ///
    /// # Errors
    /// If it cannot be told in JSON, or the other end is gone.
    pub(crate) async fn send<T: Serialize>(&self, message: &T) -> io::Result<()> {
        self.send_with(message, &[]).await
    }

    /// The same with open files, at most three.
    ///
    /// # Errors
    /// If it cannot be told in JSON, or the other end is gone.
    pub(crate) async fn send_with<T: Serialize>(
        &self,
        message: &T,
        files: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let mut bytes = vec![0; HEAD];
        serde_json::to_writer(&mut bytes, message)?;
        let length = u32::try_from(bytes.len() - HEAD)
            .ok()
            .filter(|length| *length as usize <= MOST_BYTES)
            .ok_or_else(|| invalid("the message is too long"))?;
        bytes[..HEAD].copy_from_slice(&length.to_le_bytes());
        let mut rest = &bytes[..];
        if !files.is_empty() {
            let sent = self
                .stream
                .async_io(Interest::WRITABLE, || {
                    let mut space =
                        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
                    let mut control = SendAncillaryBuffer::new(&mut space);
                    if !control.push(SendAncillaryMessage::ScmRights(files)) {
                        return Err(invalid("too many files"));
                    }
                    let flags = SendFlags::NOSIGNAL;
                    Ok(sendmsg(self.stream.as_fd(), &[IoSlice::new(rest)], &mut control, flags)?)
                })
                .await?;
            rest = &rest[sent..];
        }
        while !rest.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next message and the files that came with it; `None` if the other end has closed the
    /// connection. Not cancel safe.
    ///
    /// # Errors
    /// If the connection breaks off, or what came is no such message.
    pub(crate) async fn receive<T: DeserializeOwned>(
        &self,
    ) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut files = Vec::new();
        let mut head = [0; HEAD];
        match self.fill(&mut head, &mut files).await? {
            0 => return Ok(None),
            HEAD => {}
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        let length = u32::from_le_bytes(head) as usize;
        if length > MOST_BYTES {
            return Err(invalid("the message is too long"));
        }
        let mut bytes = vec![0; length];
        if self.fill(&mut bytes, &mut files).await? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((serde_json::from_slice(&bytes)?, files)))
    }

    /// [`Connection::receive`] where a message without files is due.
    ///
    /// # Errors
    /// The same, and if the other end has closed the connection.
    pub(crate) async fn expect<T: DeserializeOwned>(&self) -> io::Result<T> {
        let received = self.receive().await?;
        received.map(|(message, _)| message).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Waits until the other end closes the connection, or says something although it is not its turn.
    /// Cancel safe.
    pub(crate) async fn hung_up(&self) {
        let mut byte = [0];
        while self.stream.readable().await.is_ok() {
            match self.stream.try_read(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Reads until `buffer` is full or the connection ends; how many bytes were read.
    async fn fill(&self, buffer: &mut [u8], files: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let read = self
                .stream
                .async_io(Interest::READABLE, || {
                    let mut space =
                        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
                    let mut control = RecvAncillaryBuffer::new(&mut space);
                    let flags = RecvFlags::CMSG_CLOEXEC;
                    let mut into = [IoSliceMut::new(rest)];
                    let received = recvmsg(self.stream.as_fd(), &mut into, &mut control, flags)?;
                    for message in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(received) = message {
                            files.extend(received);
                        }
                    }
                    Ok(received.bytes)
                })
                .await?;
            if read == 0 {
                break;
            }
            filled += read;
        }
        Ok(filled)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (Connection, Connection) {
        let (one, other) = UnixStream::pair().unwrap();
        (Connection::new(one), Connection::new(other))
    }

    #[tokio::test]
    async fn messages_arrive_whole_and_in_order() {
        let (one, other) = pair();
        let long = "x".repeat(1 << 20);
        let sending = async {
            one.send(&"short").await.unwrap();
            one.send(&long).await.unwrap();
            drop(one);
        };
        let receiving = async {
            assert_eq!(other.expect::<String>().await.unwrap(), "short");
            assert_eq!(other.expect::<String>().await.unwrap(), long);
            assert!(other.receive::<String>().await.unwrap().is_none());
        };
        tokio::join!(sending, receiving);
    }

    #[tokio::test]
    async fn open_files_come_with_their_message() {
        let (one, other) = pair();
        let (mut kept, given) = UnixStream::pair().unwrap();
        let given = given.into_std().unwrap();
        let files = [given.as_fd(), given.as_fd()];
        one.send(&1).await.unwrap();
        one.send_with(&2, &files).await.unwrap();
        one.send(&3).await.unwrap();
        drop(given);
        let mut received = Vec::new();
        for (message, files) in [(1, 0), (2, 2), (3, 0)] {
            let (told, mut came) = other.receive::<u32>().await.unwrap().unwrap();
            assert_eq!((told, came.len()), (message, files));
            received.append(&mut came);
        }
        received.pop();
        let file = std::os::unix::net::UnixStream::from(received.pop().unwrap());
        let mut file = UnixStream::from_std(file).unwrap();
        file.write_all(b"hello").await.unwrap();
        drop(file);
        let mut text = String::new();
        kept.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_no_message_is_an_error() {
        for (bytes, kind) in [
            (&[9, 0, 0, 0, b'"'][..], io::ErrorKind::UnexpectedEof),
            (&[1, 0], io::ErrorKind::UnexpectedEof),
            (&[255, 255, 255, 255], io::ErrorKind::InvalidData),
            (&[1, 0, 0, 0, b'"'], io::ErrorKind::UnexpectedEof),
            (&[1, 0, 0, 0, b'}'], io::ErrorKind::InvalidData),
        ] {
            let (mut end, receiver) = std::os::unix::net::UnixStream::pair().unwrap();
            io::Write::write_all(&mut end, bytes).unwrap();
            drop(end);
            receiver.set_nonblocking(true).unwrap();
            let receiver = Connection::new(UnixStream::from_std(receiver).unwrap());
            let error = receiver.receive::<String>().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{bytes:?}: {error}");
        }
        let (one, other) = pair();
        drop(one);
        other.hung_up().await;
    }
}
