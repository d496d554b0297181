//! `wasi:sockets` as a pod sees it.
//!
//! The engine's own implementation does the work; this wrapper changes addresses on the way, as the
//! pod's [`GuestNetwork`] says: `0.0.0.0:80` becomes the pod's address, `localhost` the pod's own
//! loopback, and what the guest reads back is what it asked for.

pub(crate) mod p3;

use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{
    ErrorCode, HostNetwork, IpAddress, IpAddressFamily, IpSocketAddress, Network,
};
use wasmtime_wasi::p2::bindings::sockets::tcp::{HostTcpSocket, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram,
    IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket,
};
use wasmtime_wasi::p2::bindings::sockets::{
    ip_name_lookup, network, tcp, tcp_create_socket, udp, udp_create_socket,
};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, Pollable, SocketError, SocketResult, subscribe,
};
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wk_runtime::{GuestNetwork, OpenNamespace, ResolveError, Sandbox};

use crate::host::Host;
use crate::namespace::made_in;

/// Sockets of one instance, seen through its pod's network.
pub(crate) struct PodSockets<'a> {
    inner: WasiSocketsCtxView<'a>,
    network: &'a Arc<dyn GuestNetwork>,
    sandbox: &'a Arc<Sandbox>,
    /// Where sockets are made; one that is to lead elsewhere is made again outside before that.
    namespace: Option<&'a OpenNamespace>,
}

struct HasPodSockets;

impl HasData for HasPodSockets {
    type Data<'a> = PodSockets<'a>;
}

fn sockets(host: &mut Host) -> PodSockets<'_> {
    PodSockets {
        inner: WasiSocketsCtxView { ctx: host.wasi.sockets(), table: &mut host.table },
        network: &host.scope.network,
        sandbox: &host.scope.sandbox,
        namespace: host.scope.namespace.as_deref(),
    }
}

/// Puts the wrapper in the place of the engine's own sockets.
///
/// # Errors
/// If the linker does not allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let options = network::LinkOptions::default();
    network::add_to_linker::<_, HasPodSockets>(linker, &options, sockets)?;
    tcp::add_to_linker::<_, HasPodSockets>(linker, sockets)?;
    tcp_create_socket::add_to_linker::<_, HasPodSockets>(linker, sockets)?;
    udp::add_to_linker::<_, HasPodSockets>(linker, sockets)?;
    udp_create_socket::add_to_linker::<_, HasPodSockets>(linker, sockets)?;
    ip_name_lookup::add_to_linker::<_, HasPodSockets>(linker, sockets)
}

impl PodSockets<'_> {
    fn bound(&self, wanted: IpSocketAddress) -> SocketResult<IpSocketAddress> {
        let real = self.network.bind(self.sandbox, wanted.into());
        Ok(real.map_err(|_denied| ErrorCode::AddressNotBindable)?.into())
    }

    fn shown(&self, real: IpSocketAddress) -> IpSocketAddress {
        self.network.shown(self.sandbox, real.into()).into()
    }
}

/// Hands calls on to the engine's own implementation.
macro_rules! delegate {
    ($trait:ident for $resource:ty { $($name:ident($($arg:ident: $ty:ty),*) -> $result:ty;)* }) => {
        $(
            fn $name(&mut self, this: Resource<$resource> $(, $arg: $ty)*) -> $result {
                $trait::$name(&mut self.inner, this $(, $arg)*)
            }
        )*
    };
}

impl network::Host for PodSockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        network::Host::convert_error_code(&mut self.inner, error)
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        network::Host::network_error_code(&mut self.inner, error)
    }
}

impl HostNetwork for PodSockets<'_> {
    fn drop(&mut self, this: Resource<Network>) -> wasmtime::Result<()> {
        HostNetwork::drop(&mut self.inner, this)
    }
}

impl tcp_create_socket::Host for PodSockets<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let inner = &mut self.inner;
        made_in(self.namespace, || inner.create_tcp_socket(family))
            .unwrap_or_else(|_error| Err(ErrorCode::Unknown.into()))
    }
}

impl udp_create_socket::Host for PodSockets<'_> {
    async fn create_udp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> SocketResult<Resource<UdpSocket>> {
        let mut made = Box::pin(self.inner.create_udp_socket(family));
        // It is there after the first step; only its executor is waited for in the others.
        match made_in(self.namespace, || at_once(made.as_mut())) {
            Ok(Some(answer)) => answer,
            Ok(None) => made.await,
            Err(_error) => Err(ErrorCode::Unknown.into()),
        }
    }
}

impl tcp::Host for PodSockets<'_> {}

impl HostTcpSocket for PodSockets<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<TcpSocket>,
        network: Resource<Network>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let real = self.bound(local_address)?;
        HostTcpSocket::start_bind(&mut self.inner, this, network, real).await
    }

    fn start_connect(
        &mut self,
        this: Resource<TcpSocket>,
        network: Resource<Network>,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let route = self
            .network
            .connect(self.sandbox, remote_address.into())
            .map_err(|_denied| ErrorCode::AccessDenied)?;
        if !route.inside {
            self.move_outside(&this)?;
        }
        if let Some(from) = route.from {
            self.bind_source(&this, &network, from)?;
        }
        HostTcpSocket::start_connect(&mut self.inner, this, network, route.to.into())
    }

    async fn start_listen(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        HostTcpSocket::start_listen(&mut self.inner, this).await
    }

    fn local_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostTcpSocket::local_address(&mut self.inner, this)?;
        Ok(self.shown(real))
    }

    fn remote_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostTcpSocket::remote_address(&mut self.inner, this)?;
        Ok(self.shown(real))
    }

    delegate! { HostTcpSocket for TcpSocket {
        finish_bind() -> SocketResult<()>;
        finish_connect() -> SocketResult<(Resource<DynInputStream>, Resource<DynOutputStream>)>;
        finish_listen() -> SocketResult<()>;
        accept() -> SocketResult<(
            Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>
        )>;
        is_listening() -> wasmtime::Result<bool>;
        address_family() -> wasmtime::Result<IpAddressFamily>;
        set_listen_backlog_size(value: u64) -> SocketResult<()>;
        keep_alive_enabled() -> SocketResult<bool>;
        set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        keep_alive_idle_time() -> SocketResult<u64>;
        set_keep_alive_idle_time(value: u64) -> SocketResult<()>;
        keep_alive_interval() -> SocketResult<u64>;
        set_keep_alive_interval(value: u64) -> SocketResult<()>;
        keep_alive_count() -> SocketResult<u32>;
        set_keep_alive_count(value: u32) -> SocketResult<()>;
        hop_limit() -> SocketResult<u8>;
        set_hop_limit(value: u8) -> SocketResult<()>;
        receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        shutdown(shutdown_type: ShutdownType) -> SocketResult<()>;
        drop() -> wasmtime::Result<()>;
    } }
}

impl PodSockets<'_> {
    /// Binds a socket that is about to connect to the pod's own address, unless the guest has
    /// bound it already.
    fn bind_source(
        &mut self,
        this: &Resource<TcpSocket>,
        network: &Resource<Network>,
        from: SocketAddr,
    ) -> SocketResult<()> {
        let socket = Resource::new_borrow(this.rep());
        if HostTcpSocket::local_address(&mut self.inner, socket).is_ok() {
            return Ok(());
        }
        let socket = Resource::new_borrow(this.rep());
        let network = Resource::new_borrow(network.rep());
        at_once(HostTcpSocket::start_bind(&mut self.inner, socket, network, from.into()))
            .unwrap_or_else(|| Err(ErrorCode::WouldBlock.into()))?;
        HostTcpSocket::finish_bind(&mut self.inner, Resource::new_borrow(this.rep()))
    }
}

/// Sets an option of one socket as it is at another, where it differs.
macro_rules! copy_options {
    ($view:ident: $old:expr => $new:expr; $($get:ident $set:ident)*) => {
        $(
            let value = HostTcpSocket::$get(&mut $view.inner, Resource::new_borrow($old.rep()))?;
            if HostTcpSocket::$get(&mut $view.inner, Resource::new_borrow($new.rep()))? != value {
                HostTcpSocket::$set(&mut $view.inner, Resource::new_borrow($new.rep()), value)?;
            }
        )*
    };
}
pub(crate) use copy_options;

impl PodSockets<'_> {
    /// Puts a socket of this process' own network in the place of one of the pod's namespace, unless
    /// the guest has bound that.
    fn move_outside(&mut self, this: &Resource<TcpSocket>) -> SocketResult<()> {
        let socket = || Resource::new_borrow(this.rep());
        if self.namespace.is_none()
            || HostTcpSocket::local_address(&mut self.inner, socket()).is_ok()
        {
            return Ok(());
        }
        let family =
            HostTcpSocket::address_family(&mut self.inner, socket()).map_err(SocketError::trap)?;
        let other = tcp_create_socket::Host::create_tcp_socket(&mut self.inner, family)?;
        copy_options! { self: this => other;
            keep_alive_enabled set_keep_alive_enabled
            keep_alive_idle_time set_keep_alive_idle_time
            keep_alive_interval set_keep_alive_interval
            keep_alive_count set_keep_alive_count
            hop_limit set_hop_limit
            receive_buffer_size set_receive_buffer_size
            send_buffer_size set_send_buffer_size
        }
        let other = self.inner.table.delete(other)?;
        *self.inner.table.get_mut(this)? = other;
        Ok(())
    }
}

/// What a call answers that never waits, although it could by its signature: binding asks for
/// permission first, which the pod's network has given by then.
fn at_once<T>(call: impl Future<Output = T>) -> Option<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

impl udp::Host for PodSockets<'_> {}

impl HostUdpSocket for PodSockets<'_> {
    async fn start_bind(
        &mut self,
        this: Resource<UdpSocket>,
        network: Resource<Network>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let real = self.bound(local_address)?;
        HostUdpSocket::start_bind(&mut self.inner, this, network, real).await
    }

    async fn stream(
        &mut self,
        this: Resource<UdpSocket>,
        remote_address: Option<IpSocketAddress>,
    ) -> SocketResult<(Resource<IncomingDatagramStream>, Resource<OutgoingDatagramStream>)> {
        let real = match remote_address {
            None => None,
            Some(wanted) => Some(
                self.network
                    .connect(self.sandbox, wanted.into())
                    .map_err(|_denied| ErrorCode::AccessDenied)?
                    .to
                    .into(),
            ),
        };
        HostUdpSocket::stream(&mut self.inner, this, real).await
    }

    fn local_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostUdpSocket::local_address(&mut self.inner, this)?;
        Ok(self.shown(real))
    }

    fn remote_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostUdpSocket::remote_address(&mut self.inner, this)?;
        Ok(self.shown(real))
    }

    delegate! { HostUdpSocket for UdpSocket {
        finish_bind() -> SocketResult<()>;
        address_family() -> wasmtime::Result<IpAddressFamily>;
        unicast_hop_limit() -> SocketResult<u8>;
        set_unicast_hop_limit(value: u8) -> SocketResult<()>;
        receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        drop() -> wasmtime::Result<()>;
    } }
}

impl HostIncomingDatagramStream for PodSockets<'_> {
    fn receive(
        &mut self,
        this: Resource<IncomingDatagramStream>,
        max_results: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        let mut datagrams =
            HostIncomingDatagramStream::receive(&mut self.inner, this, max_results)?;
        for datagram in &mut datagrams {
            datagram.remote_address = self.shown(datagram.remote_address);
        }
        Ok(datagrams)
    }

    delegate! { HostIncomingDatagramStream for IncomingDatagramStream {
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        drop() -> wasmtime::Result<()>;
    } }
}

impl HostOutgoingDatagramStream for PodSockets<'_> {
    fn send(
        &mut self,
        this: Resource<OutgoingDatagramStream>,
        mut datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        for datagram in &mut datagrams {
            if let Some(wanted) = datagram.remote_address {
                let route = self
                    .network
                    .connect(self.sandbox, wanted.into())
                    .map_err(|_denied| ErrorCode::AccessDenied)?;
                datagram.remote_address = Some(route.to.into());
            }
        }
        HostOutgoingDatagramStream::send(&mut self.inner, this, datagrams)
    }

    async fn drop(&mut self, this: Resource<OutgoingDatagramStream>) -> wasmtime::Result<()> {
        HostOutgoingDatagramStream::drop(&mut self.inner, this).await
    }

    delegate! { HostOutgoingDatagramStream for OutgoingDatagramStream {
        check_send() -> SocketResult<u64>;
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
    } }
}

/// A look-up in progress, kept in the resource table under the handle that the bindings know by
/// the engine's own type, which cannot be made outside of it: only this module looks it up.
struct Lookup {
    asked: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    answer: Result<std::vec::IntoIter<IpAddr>, ErrorCode>,
}

type Answer = Result<Vec<IpAddr>, ResolveError>;

impl Lookup {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(asked) = &mut self.asked else { return Poll::Ready(()) };
        let answer = std::task::ready!(asked.as_mut().poll(cx));
        self.asked = None;
        self.answer = answer.map(Vec::into_iter).map_err(|error| match error {
            ResolveError::NotFound(_) => ErrorCode::NameUnresolvable,
            ResolveError::Unavailable(_) => ErrorCode::TemporaryResolverFailure,
            ResolveError::Denied(_) => ErrorCode::AccessDenied,
        });
        Poll::Ready(())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }
}

impl ip_name_lookup::Host for PodSockets<'_> {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        // The handle is the permission to ask.
        self.inner.table.get(&network)?;
        let (asked, sandbox) = (Arc::clone(self.network), Arc::clone(self.sandbox));
        let mut lookup = Lookup {
            asked: Some(Box::pin(async move { asked.resolve(&sandbox, &name).await })),
            answer: Ok(Vec::new().into_iter()),
        };
        // Most names are answered from tables in memory.
        let _ready = lookup.poll(&mut Context::from_waker(Waker::noop()));
        if let Err(error) = lookup.answer {
            return Err(error.into());
        }
        let lookup = self.inner.table.push(lookup)?;
        Ok(Resource::new_own(lookup.rep()))
    }
}

impl ip_name_lookup::HostResolveAddressStream for PodSockets<'_> {
    fn resolve_next_address(
        &mut self,
        this: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        let lookup = self.inner.table.get_mut(&Resource::<Lookup>::new_borrow(this.rep()))?;
        if lookup.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err(ErrorCode::WouldBlock.into());
        }
        match &mut lookup.answer {
            Ok(addresses) => Ok(addresses.next().map(IpAddress::from)),
            Err(error) => Err((*error).into()),
        }
    }

    fn subscribe(
        &mut self,
        this: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.inner.table, Resource::<Lookup>::new_borrow(this.rep()))
    }

    fn drop(
        &mut self,
        this: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<()> {
        self.inner.table.delete(Resource::<Lookup>::new_own(this.rep()))?;
        Ok(())
    }
}
