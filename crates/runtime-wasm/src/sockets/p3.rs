//! `wasi:sockets` of WASI 0.3 as a pod sees it.
//!
//! As for 0.2, the engine's own implementation does the work, and addresses change on the way. What
//! is asynchronous here is given an accessor to the store, which is pointed at the engine's view
//! before it is handed on.

use std::net::SocketAddr;
use std::sync::Arc;

use wasmtime::AsContextMut as _;
use wasmtime::component::{Access, Accessor, FutureReader, Linker, Resource, StreamReader};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup;
use wasmtime_wasi::p3::bindings::sockets::types::{
    self, Duration, ErrorCode, HostTcpSocket, HostTcpSocketWithStore, HostUdpSocket,
    HostUdpSocketWithStore, IpAddress, IpAddressFamily, IpSocketAddress, TcpSocket, UdpSocket,
};
use wasmtime_wasi::p3::sockets::{SocketError, SocketResult};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsCtxView};
use wk_runtime::{ConnectRoute, ResolveError};

use super::{HasPodSockets, PodSockets, sockets};
use crate::host::Host;
use crate::namespace::made_in;

/// Puts the wrapper in the place of the engine's own sockets.
///
/// # Errors
/// If the linker does not allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasPodSockets>(linker, sockets)?;
    ip_name_lookup::add_to_linker::<_, HasPodSockets>(linker, sockets)
}

/// The engine's own view of an instance's sockets.
fn engines(host: &mut Host) -> WasiSocketsCtxView<'_> {
    sockets(host).inner
}

impl PodSockets<'_> {
    fn bound_p3(&self, wanted: IpSocketAddress) -> SocketResult<IpSocketAddress> {
        let real = self.network.bind(self.sandbox, wanted.into());
        Ok(real.map_err(|_denied| ErrorCode::AddressNotBindable)?.into())
    }

    fn route_p3(&self, wanted: IpSocketAddress) -> SocketResult<ConnectRoute> {
        let route = self.network.connect(self.sandbox, wanted.into());
        Ok(route.map_err(|_denied| ErrorCode::AccessDenied)?)
    }

    fn shown_p3(&self, real: IpSocketAddress) -> IpSocketAddress {
        self.network.shown(self.sandbox, real.into()).into()
    }

    /// As for 0.2.
    fn move_outside_p3(&mut self, this: &Resource<TcpSocket>) -> SocketResult<()> {
        let socket = || Resource::new_borrow(this.rep());
        if self.namespace.is_none()
            || HostTcpSocket::get_local_address(&mut self.inner, socket()).is_ok()
        {
            return Ok(());
        }
        let family = HostTcpSocket::get_address_family(&mut self.inner, socket())
            .map_err(SocketError::trap)?;
        let other = HostTcpSocket::create(&mut self.inner, family)?;
        super::copy_options! { self: this => other;
            get_keep_alive_enabled set_keep_alive_enabled
            get_keep_alive_idle_time set_keep_alive_idle_time
            get_keep_alive_interval set_keep_alive_interval
            get_keep_alive_count set_keep_alive_count
            get_hop_limit set_hop_limit
            get_receive_buffer_size set_receive_buffer_size
            get_send_buffer_size set_send_buffer_size
        }
        let gone = |error: wasmtime::component::ResourceTableError| SocketError::trap(error);
        let other = self.inner.table.delete(other).map_err(gone)?;
        *self.inner.table.get_mut(this).map_err(gone)? = other;
        Ok(())
    }

    /// Binds a UDP socket that is about to send to the pod's own address, so that answers come to
    /// it, unless it is bound already.
    async fn udp_source_p3(
        &mut self,
        this: &Resource<UdpSocket>,
        from: Option<SocketAddr>,
    ) -> SocketResult<()> {
        let Some(from) = from else { return Ok(()) };
        let socket = || Resource::new_borrow(this.rep());
        if HostUdpSocket::get_local_address(&mut self.inner, socket()).is_ok() {
            return Ok(());
        }
        HostUdpSocket::bind(&mut self.inner, socket(), from.into()).await
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

impl types::Host for PodSockets<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.inner, error)
    }
}

impl HostTcpSocketWithStore<Host> for HasPodSockets {
    async fn connect(
        store: &Accessor<Host, Self>,
        socket: Resource<TcpSocket>,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let route = store.with(|mut view| view.get().route_p3(remote_address))?;
        if !route.inside {
            store.with(|mut view| view.get().move_outside_p3(&socket))?;
        }
        if let Some(from) = route.from {
            let bind = store.with(|mut view| -> SocketResult<_> {
                let mut view = view.get();
                let this = || Resource::new_borrow(socket.rep());
                if HostTcpSocket::get_local_address(&mut view.inner, this()).is_ok() {
                    return Ok(());
                }
                super::at_once(HostTcpSocket::bind(&mut view.inner, this(), from.into()))
                    .unwrap_or_else(|| Err(ErrorCode::Other(None).into()))
            });
            bind?;
        }
        let inner = store.with_getter::<WasiSockets>(engines);
        <WasiSockets as HostTcpSocketWithStore<Host>>::connect(&inner, socket, route.to.into())
            .await
    }

    async fn listen(
        mut store: Access<'_, Host, Self>,
        socket: Resource<TcpSocket>,
    ) -> SocketResult<StreamReader<Resource<TcpSocket>>> {
        let inner = Access::<_, WasiSockets>::new(store.as_context_mut(), engines);
        <WasiSockets as HostTcpSocketWithStore<Host>>::listen(inner, socket).await
    }

    fn send(
        mut store: Access<'_, Host, Self>,
        socket: Resource<TcpSocket>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<FutureReader<Result<(), ErrorCode>>> {
        let inner = Access::<_, WasiSockets>::new(store.as_context_mut(), engines);
        <WasiSockets as HostTcpSocketWithStore<Host>>::send(inner, socket, data)
    }

    fn receive(
        mut store: Access<'_, Host, Self>,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Result<(), ErrorCode>>)> {
        let inner = Access::<_, WasiSockets>::new(store.as_context_mut(), engines);
        <WasiSockets as HostTcpSocketWithStore<Host>>::receive(inner, socket)
    }
}

impl HostTcpSocket for PodSockets<'_> {
    async fn bind(
        &mut self,
        this: Resource<TcpSocket>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let real = self.bound_p3(local_address)?;
        HostTcpSocket::bind(&mut self.inner, this, real).await
    }

    fn create(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let inner = &mut self.inner;
        made_in(self.namespace, || HostTcpSocket::create(inner, family))
            .unwrap_or_else(|_error| Err(ErrorCode::Other(None).into()))
    }

    fn get_local_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostTcpSocket::get_local_address(&mut self.inner, this)?;
        Ok(self.shown_p3(real))
    }

    fn get_remote_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostTcpSocket::get_remote_address(&mut self.inner, this)?;
        Ok(self.shown_p3(real))
    }

    delegate! { HostTcpSocket for TcpSocket {
        get_is_listening() -> wasmtime::Result<bool>;
        get_address_family() -> wasmtime::Result<IpAddressFamily>;
        set_listen_backlog_size(value: u64) -> SocketResult<()>;
        get_keep_alive_enabled() -> SocketResult<bool>;
        set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        get_keep_alive_idle_time() -> SocketResult<Duration>;
        set_keep_alive_idle_time(value: Duration) -> SocketResult<()>;
        get_keep_alive_interval() -> SocketResult<Duration>;
        set_keep_alive_interval(value: Duration) -> SocketResult<()>;
        get_keep_alive_count() -> SocketResult<u32>;
        set_keep_alive_count(value: u32) -> SocketResult<()>;
        get_hop_limit() -> SocketResult<u8>;
        set_hop_limit(value: u8) -> SocketResult<()>;
        get_receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        get_send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        drop() -> wasmtime::Result<()>;
    } }
}

impl HostUdpSocketWithStore<Host> for HasPodSockets {
    async fn send(
        store: &Accessor<Host, Self>,
        socket: Resource<UdpSocket>,
        data: Vec<u8>,
        remote_address: Option<IpSocketAddress>,
    ) -> SocketResult<()> {
        let to = match remote_address {
            None => None,
            Some(wanted) => Some(store.with(|mut view| -> SocketResult<_> {
                let mut view = view.get();
                let route = view.route_p3(wanted)?;
                super::at_once(view.udp_source_p3(&socket, route.from))
                    .unwrap_or_else(|| Err(ErrorCode::Other(None).into()))?;
                Ok(route.to.into())
            })?),
        };
        let inner = store.with_getter::<WasiSockets>(engines);
        <WasiSockets as HostUdpSocketWithStore<Host>>::send(&inner, socket, data, to).await
    }

    async fn receive(
        store: &Accessor<Host, Self>,
        socket: Resource<UdpSocket>,
    ) -> SocketResult<(Vec<u8>, IpSocketAddress)> {
        let inner = store.with_getter::<WasiSockets>(engines);
        let received = <WasiSockets as HostUdpSocketWithStore<Host>>::receive(&inner, socket).await;
        let (data, from) = received?;
        Ok((data, store.with(|mut view| view.get().shown_p3(from))))
    }
}

impl HostUdpSocket for PodSockets<'_> {
    async fn create(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let mut made = Box::pin(HostUdpSocket::create(&mut self.inner, family));
        match made_in(self.namespace, || super::at_once(made.as_mut())) {
            Ok(Some(answer)) => answer,
            Ok(None) => made.await,
            Err(_error) => Err(ErrorCode::Other(None).into()),
        }
    }

    async fn bind(
        &mut self,
        this: Resource<UdpSocket>,
        local_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let real = self.bound_p3(local_address)?;
        HostUdpSocket::bind(&mut self.inner, this, real).await
    }

    async fn connect(
        &mut self,
        this: Resource<UdpSocket>,
        remote_address: IpSocketAddress,
    ) -> SocketResult<()> {
        let route = self.route_p3(remote_address)?;
        self.udp_source_p3(&this, route.from).await?;
        HostUdpSocket::connect(&mut self.inner, this, route.to.into()).await
    }

    fn get_local_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostUdpSocket::get_local_address(&mut self.inner, this)?;
        Ok(self.shown_p3(real))
    }

    fn get_remote_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let real = HostUdpSocket::get_remote_address(&mut self.inner, this)?;
        Ok(self.shown_p3(real))
    }

    delegate! { HostUdpSocket for UdpSocket {
        disconnect() -> SocketResult<()>;
        get_address_family() -> wasmtime::Result<IpAddressFamily>;
        get_unicast_hop_limit() -> SocketResult<u8>;
        set_unicast_hop_limit(value: u8) -> SocketResult<()>;
        get_receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        get_send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        drop() -> wasmtime::Result<()>;
    } }
}

impl ip_name_lookup::Host for PodSockets<'_> {}

impl ip_name_lookup::HostWithStore<Host> for HasPodSockets {
    async fn resolve_addresses(
        store: &Accessor<Host, Self>,
        name: String,
    ) -> wasmtime::Result<Result<Vec<IpAddress>, ip_name_lookup::ErrorCode>> {
        let (network, sandbox) = store.with(|mut view| {
            let view = view.get();
            (Arc::clone(view.network), Arc::clone(view.sandbox))
        });
        let found = network.resolve(&sandbox, &name).await;
        Ok(found.map(|addresses| addresses.into_iter().map(IpAddress::from).collect()).map_err(
            |error| match error {
                ResolveError::NotFound(_) => ip_name_lookup::ErrorCode::NameUnresolvable,
                ResolveError::Unavailable(_) => ip_name_lookup::ErrorCode::TemporaryResolverFailure,
                ResolveError::Denied(_) => ip_name_lookup::ErrorCode::AccessDenied,
            },
        ))
    }
}
