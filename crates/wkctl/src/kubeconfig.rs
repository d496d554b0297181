//! Which cluster, as whom: kubeconfig files, read as kubectl reads them.
//!
//! Of several files the first one that names a cluster, a user, a context or the current context
//! wins. Paths in a file are relative to that file.
//! Spec: <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use serde::{Deserialize, Deserializer};

use crate::environment::Environment;
use crate::error::hinted;
use crate::yaml;

/// What the command line says about the cluster.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ClusterArgs {
    /// Path of the kubeconfig file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster options")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, help_heading = "Cluster options")]
    pub(crate) context: Option<String>,
    /// Cluster of the kubeconfig to use
    #[arg(long, global = true, help_heading = "Cluster options")]
    pub(crate) cluster: Option<String>,
    /// User of the kubeconfig to use
    #[arg(long, global = true, help_heading = "Cluster options")]
    pub(crate) user: Option<String>,
    /// Namespace of the request
    #[arg(short, long, global = true, help_heading = "Cluster options")]
    pub(crate) namespace: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL", help_heading = "Cluster options")]
    pub(crate) server: Option<String>,
    /// File with the authority that signed the server's certificate
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster options")]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// File with the client's certificate
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster options")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// File with the key of the client's certificate
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster options")]
    pub(crate) client_key: Option<PathBuf>,
    /// Do not check the server's certificate
    #[arg(long, global = true, help_heading = "Cluster options")]
    pub(crate) insecure_skip_tls_verify: bool,
    /// Bearer token
    #[arg(long, global = true, help_heading = "Cluster options")]
    pub(crate) token: Option<String>,
    /// Act as this user
    #[arg(long = "as", global = true, value_name = "USER", help_heading = "Cluster options")]
    pub(crate) as_user: Option<String>,
    /// Act as a member of this group
    #[arg(
        long = "as-group",
        global = true,
        value_name = "GROUP",
        help_heading = "Cluster options"
    )]
    pub(crate) as_groups: Vec<String>,
    /// How long a single request may take, such as `5s`; 0 is for ever
    #[arg(long, global = true, default_value = "0", help_heading = "Cluster options")]
    pub(crate) request_timeout: String,
}

/// A cluster and an identity, ready to connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// URL of the server, without a slash at the end.
    pub(crate) server: String,
    /// Another name to check the server's certificate against.
    pub(crate) tls_server_name: Option<String>,
    pub(crate) insecure: bool,
    /// The authority's certificate, PEM.
    pub(crate) authority: Option<Vec<u8>>,
    /// The client's certificate and key, PEM.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) token: Option<String>,
    /// The user to act as.
    pub(crate) as_user: Option<String>,
    /// The groups to act as a member of.
    pub(crate) as_groups: Vec<String>,
    /// The namespace to use where none is said.
    pub(crate) namespace: String,
    /// Where this comes from, for messages.
    pub(crate) source: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    current_context: String,
    #[serde(deserialize_with = "nullable")]
    clusters: Vec<Named<Cluster>>,
    #[serde(deserialize_with = "nullable")]
    contexts: Vec<Named<Context>>,
    #[serde(deserialize_with = "nullable")]
    users: Vec<Named<User>>,
}

/// `null` is what kubectl writes for nothing.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    input: D,
) -> Result<T, D::Error> {
    Option::deserialize(input).map(Option::unwrap_or_default)
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: Default + Deserialize<'de>")]
struct Named<T> {
    name: String,
    #[serde(alias = "cluster", alias = "context", alias = "user", deserialize_with = "nullable")]
    value: T,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    tls_server_name: Option<String>,
    insecure_skip_tls_verify: bool,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Context {
    cluster: String,
    user: String,
    namespace: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    exec: Option<serde::de::IgnoredAny>,
}

/// The files to read, in order: the command line's, `KUBECONFIG`'s, the data folder's, the home's.
pub(crate) fn paths(args: &ClusterArgs, environment: &Environment) -> Vec<PathBuf> {
    if let Some(path) = &args.kubeconfig {
        return vec![path.clone()];
    }
    if let Some(list) = environment.kubeconfig.as_deref().filter(|list| !list.is_empty()) {
        return std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect();
    }
    let data = environment.data_folder().map(|folder| folder.join("kubeconfig"));
    let home = environment.home.as_deref().map(|home| home.join(".kube/config"));
    [data, home].into_iter().flatten().find(|path| path.exists()).into_iter().collect()
}

/// Works out the cluster and the identity.
pub(crate) fn access(args: &ClusterArgs, environment: &Environment) -> anyhow::Result<Access> {
    let paths = paths(args, environment);
    let mut files = Vec::new();
    for path in &paths {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            // Of several files some may be missing, and a server may be named without any.
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && (args.kubeconfig.is_none() && paths.len() > 1) =>
            {
                continue;
            }
            Err(error) => {
                let hint =
                    "start a cluster with `wk up`, or name its kubeconfig with `--kubeconfig`";
                let what = format!("kubeconfig `{}` cannot be read: {error}", path.display());
                return Err(hinted(what, hint));
            }
        };
        let file = read_file(&text).map_err(|error| {
            anyhow!("error loading config file \"{}\": {error}", path.display())
        })?;
        files.push((path.clone(), file));
    }
    if files.is_empty() && args.server.is_none() {
        let hint = "start a cluster with `wk up`, or name its kubeconfig with `--kubeconfig` or \
                    `KUBECONFIG`";
        return Err(hinted("no cluster to talk to: there is no kubeconfig", hint));
    }
    Merged(&files).access(args)
}

fn read_file(text: &str) -> anyhow::Result<File> {
    let value = yaml::one(text)?;
    Ok(if value.is_null() { File::default() } else { serde_json::from_value(value)? })
}

/// Files, the first of which wins.
struct Merged<'a>(&'a [(PathBuf, File)]);

impl Merged<'_> {
    fn find<T: Clone>(
        &self,
        list: impl Fn(&File) -> &Vec<Named<T>>,
        name: &str,
    ) -> Option<(PathBuf, T)> {
        self.0.iter().find_map(|(path, file)| {
            let named = list(file).iter().find(|named| named.name == name)?;
            Some((path.clone(), named.value.clone()))
        })
    }

    fn access(&self, args: &ClusterArgs) -> anyhow::Result<Access> {
        let source = self.0.first().map_or_else(
            || "the command line".to_owned(),
            |(path, _)| format!("kubeconfig `{}`", path.display()),
        );
        let current = self.0.iter().map(|(_, file)| &file.current_context);
        let current = current.clone().find(|name| !name.is_empty());
        let context = match args.context.as_ref().or(current) {
            None => Context::default(),
            Some(name) => match self.find(|file| &file.contexts, name) {
                Some((_, context)) => context,
                None => bail!("context \"{name}\" does not exist in {source}"),
            },
        };
        let cluster_name = args.cluster.as_ref().unwrap_or(&context.cluster);
        let (cluster_file, mut cluster) = match self.find(|file| &file.clusters, cluster_name) {
            Some(found) => found,
            None if args.server.is_some() => Default::default(),
            None if cluster_name.is_empty() => bail!("{source} has no current context"),
            None => bail!("cluster \"{cluster_name}\" does not exist in {source}"),
        };
        let user_name = args.user.as_ref().unwrap_or(&context.user);
        let (user_file, user) = match self.find(|file| &file.users, user_name) {
            Some(found) => found,
            None if user_name.is_empty() => Default::default(),
            None => bail!("user \"{user_name}\" does not exist in {source}"),
        };
        if let Some(server) = &args.server {
            cluster.server.clone_from(server);
        }
        let authority = bytes(
            args.certificate_authority.as_deref(),
            cluster.certificate_authority_data.as_deref(),
            cluster.certificate_authority.as_deref(),
            &cluster_file,
        )?;
        let access = Access {
            server: normalised(&cluster.server),
            tls_server_name: cluster.tls_server_name,
            insecure: cluster.insecure_skip_tls_verify || args.insecure_skip_tls_verify,
            authority,
            identity: identity(args, &user, &user_file)?,
            token: token(args, &user, &user_file)?,
            as_user: args.as_user.clone(),
            as_groups: args.as_groups.clone(),
            namespace: args
                .namespace
                .clone()
                .or(context.namespace)
                .filter(|namespace| !namespace.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
            source,
        };
        if access.server.is_empty() {
            bail!("{} names no server", access.source);
        }
        if user.exec.is_some() && access.identity.is_none() && access.token.is_none() {
            let hint = "use a client certificate or a token, as in the kubeconfig of `wk up`";
            let what = format!("user \"{user_name}\" logs in by a program, which is not supported");
            return Err(hinted(what, hint));
        }
        Ok(access)
    }
}

fn identity(
    args: &ClusterArgs,
    user: &User,
    file: &Path,
) -> anyhow::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let certificate = bytes(
        args.client_certificate.as_deref(),
        user.client_certificate_data.as_deref(),
        user.client_certificate.as_deref(),
        file,
    )?;
    let key = bytes(
        args.client_key.as_deref(),
        user.client_key_data.as_deref(),
        user.client_key.as_deref(),
        file,
    )?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(_), None) => bail!("there is a client certificate, but no key for it"),
        (None, Some(_)) => bail!("there is a client key, but no certificate for it"),
    }
}

fn token(args: &ClusterArgs, user: &User, file: &Path) -> anyhow::Result<Option<String>> {
    let token = match (&args.token, &user.token_file, &user.token) {
        (Some(token), _, _) => Some(token.clone()),
        (None, Some(path), _) => {
            let path = beside(file, path);
            let text = std::fs::read_to_string(&path);
            Some(text.with_context(|| format!("token file `{}`", path.display()))?)
        }
        (None, None, token) => token.clone(),
    };
    Ok(token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// What an option, a base64 text or a file in the kubeconfig gives, in this order.
fn bytes(
    option: Option<&Path>,
    data: Option<&str>,
    path: Option<&Path>,
    file: &Path,
) -> anyhow::Result<Option<Vec<u8>>> {
    if let (None, Some(data)) = (option, data.filter(|data| !data.is_empty())) {
        let data: String = data.split_whitespace().collect();
        let decoded = base64::engine::general_purpose::STANDARD.decode(data);
        let decoded =
            decoded.with_context(|| format!("malformed base64 in `{}`", file.display()))?;
        return Ok(Some(decoded));
    }
    let path = match (option, path) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) if path.as_os_str() != OsStr::new("") => beside(file, path),
        _ => return Ok(None),
    };
    std::fs::read(&path).map(Some).with_context(|| format!("cannot read `{}`", path.display()))
}

fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

fn normalised(server: &str) -> String {
    let server = server.trim_end_matches('/');
    if server.is_empty() || server.contains("://") {
        server.to_owned()
    } else {
        format!("https://{server}")
    }
}

#[cfg(test)]
mod tests;
