//! The way to a kubelet.

use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// Connects to the kubelet of a node: in the same process, over TLS, or through a tunnel.
#[async_trait]
pub trait NodeDialer: Send + Sync + 'static {
    /// A stream on which the kubelet of `node` speaks HTTP/1.1, authenticated in both directions.
    ///
    /// # Errors
    /// The connection failed; the node may be unknown or unreachable.
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>>;
}

/// There are no nodes to connect to.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNodes;

#[async_trait]
impl NodeDialer for NoNodes {
    async fn connect(&self, node: &str) -> io::Result<Box<dyn Duplex>> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("node `{node}` is not known here")))
    }
}
