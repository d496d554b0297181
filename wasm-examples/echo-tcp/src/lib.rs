//! TCP over `wasi:sockets`, as far as a small server or client needs it.
//!
//! Every operation of `wasi:sockets` comes in two halves, `start_…` and `finish_…`, and the second
//! says [`ErrorCode::WouldBlock`] until it is done; here they are one call that waits.

use std::net::Ipv4Addr;

use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
pub use wasip2::sockets::network::ErrorCode as Error;
use wasip2::sockets::network::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: TcpSocket,
}

impl Listener {
    /// Listens on `port` of every address that the program has.
    ///
    /// # Errors
    /// What the host answered, such as [`Error::AddressInUse`].
    pub fn bind(port: u16) -> Result<Self, Error> {
        let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
        socket.start_bind(&instance_network(), ipv4(Ipv4Addr::UNSPECIFIED, port))?;
        finish(&socket, TcpSocket::finish_bind)?;
        socket.start_listen()?;
        finish(&socket, TcpSocket::finish_listen)?;
        Ok(Self { socket })
    }

    /// Ready when somebody wants to connect.
    #[must_use]
    pub fn ready(&self) -> Pollable {
        self.socket.subscribe()
    }

    /// The next client, or `None` if nobody waits (any more).
    ///
    /// # Errors
    /// The listener itself is broken; a client that gave up meanwhile is not an error.
    pub fn accept(&self) -> Result<Option<Connection>, Error> {
        match self.socket.accept() {
            Ok((socket, input, output)) => Ok(Some(Connection { input, output, socket })),
            Err(Error::WouldBlock | Error::ConnectionAborted | Error::ConnectionReset) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    // The streams belong to the socket and go first: fields are dropped in this order.
    /// What the other side sends.
    pub input: InputStream,
    /// What the other side gets.
    pub output: OutputStream,
    /// The socket below both.
    pub socket: TcpSocket,
}

impl Connection {
    /// Connects to `port` of `host`, an IPv4 address or a name.
    ///
    /// # Errors
    /// The name is unknown, or nobody answers there.
    pub fn open(host: &str, port: u16) -> Result<Self, Error> {
        let address = resolve(host)?;
        let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
        socket.start_connect(&instance_network(), ipv4(address, port))?;
        let (input, output) = finish(&socket, TcpSocket::finish_connect)?;
        Ok(Self { input, output, socket })
    }
}

/// Waits until something of `sources` is ready, and says which, by position.
pub fn wait(sources: impl Iterator<Item = Pollable>) -> Vec<usize> {
    let sources: Vec<Pollable> = sources.collect();
    let ready = poll(&sources.iter().collect::<Vec<_>>());
    ready.into_iter().map(|position| position as usize).collect()
}

fn resolve(host: &str) -> Result<Ipv4Addr, Error> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    let answers = resolve_addresses(&instance_network(), host)?;
    loop {
        match answers.resolve_next_address() {
            Ok(Some(IpAddress::Ipv4((a, b, c, d)))) => return Ok(Ipv4Addr::new(a, b, c, d)),
            Ok(Some(IpAddress::Ipv6(_))) => {}
            Ok(None) => return Err(Error::NameUnresolvable),
            Err(Error::WouldBlock) => answers.subscribe().block(),
            Err(error) => return Err(error),
        }
    }
}

fn finish<T>(
    socket: &TcpSocket,
    half: impl Fn(&TcpSocket) -> Result<T, Error>,
) -> Result<T, Error> {
    loop {
        match half(socket) {
            Err(Error::WouldBlock) => socket.subscribe().block(),
            result => return result,
        }
    }
}

fn ipv4(address: Ipv4Addr, port: u16) -> IpSocketAddress {
    let [a, b, c, d] = address.octets();
    IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
}
