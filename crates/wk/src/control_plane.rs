//! Store, API server, scheduler and controllers, wired together.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use wk_apiserver::{ApiServer, BootstrapConfig, Config, NodeDialer, Release, ServiceCidr};
use wk_auth::{AllowAuthenticated, BootstrapRole, Ca, TokenSigner, User};
use wk_client::connect;
use wk_controllers::{Controllers, ControllersConfig, Ipv4Range};
use wk_network::{Cidr, POD_RANGE};
use wk_process::TaskGroup;
use wk_scheduler::{Scheduler, SchedulerConfig};
use wk_store::Store;
use wk_store_redb::{Options, RedbStore};

use crate::args::{ObjectArgs, RangeArgs};
use crate::controller_args::ControllerArgs;
use crate::data_dir::DataDir;
use crate::dialer::Nodes;
use crate::{identity, tls};

/// Prefix length of each node's part of the pod range.
pub(crate) const NODE_MASK: u8 = 20;

/// Who the tokens of service accounts say made them.
const TOKEN_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A running API server with what stands behind it.
pub(crate) struct ControlPlane {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) address: SocketAddr,
    ca: Arc<Ca>,
    store: Arc<RedbStore>,
}

/// What was typed about a control plane, and the socket it listens on.
pub(crate) struct Wanted<'a> {
    pub(crate) data: &'a DataDir,
    pub(crate) listener: TcpListener,
    pub(crate) sans: &'a [String],
    pub(crate) ranges: &'a RangeArgs,
    pub(crate) objects: ObjectArgs,
}

impl ControlPlane {
    /// Opens the store and starts the API server; it serves in this process only, until
    /// [`ControlPlane::serve`].
    pub(crate) async fn start(wanted: &Wanted<'_>, tasks: &TaskGroup) -> anyhow::Result<Self> {
        let data = wanted.data;
        let service_cidr = service_cidr(&wanted.ranges.service_cidr)?;
        let address = wanted.listener.local_addr().context("cannot tell the server's address")?;
        let address = identity::reachable(address);
        let pki = data.folder("pki")?;
        let ca = Arc::new(Ca::load_or_create(&pki)?);
        let tokens = Arc::new(TokenSigner::load_or_create(&pki, TOKEN_ISSUER)?);
        let token = identity::join_token(&data.file("token"), &ca)?;
        let nodes = Arc::new(Nodes::new(&ca)?);
        let store = open_store(data).await?;
        let server = ApiServer::start(
            Config {
                store: Arc::clone(&store) as Arc<dyn Store>,
                authorizer: Arc::new(AllowAuthenticated),
                tokens,
                dialer: Arc::clone(&nodes) as Arc<dyn NodeDialer>,
                bootstrap: Some(BootstrapConfig { ca: Arc::clone(&ca), token }),
                service_cidr,
                advertise: Some(address),
                release: Release::default(),
                event_ttl: wanted.objects.event_ttl,
                tolerations: wanted.objects.tolerations(),
            },
            tasks,
        )
        .await
        .context("cannot start the API server")?;
        let none: [&str; 0] = [];
        let dialer = User::authenticated("system:kube-apiserver", none);
        nodes.look_up_with(connect::in_process(server.router(), dialer));
        Ok(Self { server, nodes, address, ca, store })
    }

    /// A client inside this process with an identity of its own.
    pub(crate) fn client(&self, user: User) -> kube::Client {
        connect::in_process(self.server.router(), user)
    }

    /// Starts scheduler and controllers in this process.
    pub(crate) fn start_components(
        &self,
        ranges: &RangeArgs,
        controllers: &ControllerArgs,
        scheduler: SchedulerConfig,
        tasks: &TaskGroup,
    ) -> anyhow::Result<()> {
        let config = controllers_config(self.ca.certificate_pem(), ranges)?;
        let config = controllers.apply(config, Some(Arc::clone(&self.ca)));
        let client = self.client(BootstrapRole::Scheduler.user());
        let metrics = Scheduler::run(client, scheduler, tasks);
        self.server.measure(move || metrics.text());
        let client_for = |user: &str| self.client(component(user));
        Controllers::run(client_for, config, tasks);
        Ok(())
    }

    /// Serves over TLS, once the files that clients need are there.
    pub(crate) fn serve(self, wanted: Wanted<'_>, tasks: &TaskGroup) -> anyhow::Result<Serving> {
        let Wanted { data, listener, sans, ranges, objects: _ } = wanted;
        let listen = listener.local_addr().context("cannot tell the server's address")?;
        let service_ip = service_cidr(&ranges.service_cidr)?.first();
        let names = identity::server_names(listen, service_ip.into(), sans);
        let issued = self.ca.issue_server("kube-apiserver", &names)?;
        let ca = self.ca.certificate_pem();
        let config = tls::api_server(ca, &issued.certificate_pem, &issued.key_pem)?;
        identity::write_kubeconfig(&data.file("kubeconfig"), &self.ca, self.address)?;
        self.server.serve(listener, config, tasks);
        Ok(Serving { store: self.store })
    }
}

/// A control plane that serves; the store has to be closed at the end.
pub(crate) struct Serving {
    store: Arc<RedbStore>,
}

impl Serving {
    /// Closes the store, so that the next start need not check it.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

async fn open_store(data: &DataDir) -> anyhow::Result<Arc<RedbStore>> {
    let path = data.file("store.redb");
    let opened = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || RedbStore::open(&path, &Options::default())).await?
    };
    let store = opened.with_context(|| {
        format!("cannot open the store `{}`\nhint: is its disk full or read-only?", path.display())
    })?;
    Ok(Arc::new(store))
}

/// The identity of a component that is known by its name alone, such as a controller's account.
fn component(name: &str) -> User {
    let groups: &[&str] = if name.starts_with("system:serviceaccount:kube-system:") {
        &["system:serviceaccounts", "system:serviceaccounts:kube-system"]
    } else {
        &[]
    };
    User::authenticated(name, groups.iter().copied())
}

/// The controllers' settings.
pub(crate) fn controllers_config(
    ca_pem: &str,
    ranges: &RangeArgs,
) -> anyhow::Result<ControllersConfig> {
    let text = &ranges.cluster_cidr;
    let range: Ipv4Range =
        text.parse().with_context(|| format!("`--cluster-cidr {text}` is not an IPv4 range"))?;
    // Without root there is no other network than the loopback's.
    let usable: Option<Cidr> = text.parse().ok();
    if !usable.is_some_and(|cidr| POD_RANGE.covers(cidr)) {
        bail!("`--cluster-cidr {text}` cannot be used: it has to lie within {POD_RANGE}");
    }
    if range.prefix() > NODE_MASK {
        bail!("`--cluster-cidr {text}` is too small: each node gets a /{NODE_MASK}");
    }
    Ok(ControllersConfig {
        cluster_cidr: Some(range),
        node_mask: NODE_MASK,
        ..ControllersConfig::rootless(ca_pem.to_owned())
    })
}

fn service_cidr(text: &str) -> anyhow::Result<ServiceCidr> {
    split_cidr(text)
        .and_then(|(address, bits)| ServiceCidr::new(address, bits))
        .with_context(|| format!("`--service-cidr {text}` is not an IPv4 range from /4 to /30"))
}

fn split_cidr(text: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, bits) = text.split_once('/')?;
    let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
    Some((address.parse().ok()?, bits))
}

#[cfg(test)]
mod tests {
    use super::split_cidr;

    #[test]
    fn a_range_is_an_address_and_a_prefix_length() {
        assert_eq!(split_cidr("127.64.0.0/11"), Some(([127, 64, 0, 0].into(), 11)));
        for wrong in ["", "127.64.0.0", "127.64.0.0/33", "127.64.0/11", "::1/64"] {
            assert_eq!(split_cidr(wrong), None, "{wrong}");
        }
    }
}
