//! `describe`: objects in detail, for people, with what happened to them.

mod access;
mod generic;
mod network;
mod node;
mod pod;
mod policy;
mod storage;
mod template;
pub(crate) mod text;
mod volume;
mod workload;

use anyhow::Context as _;
use serde_json::Value;

pub(crate) use self::access::rules;
pub(crate) use self::template::{describe as template, items};

use super::events;
use super::select::{self, Found, SelectArgs};
use crate::error::{all_good, found, hinted};
use crate::kinds::{self, built_in};
use crate::manifest::FileArgs;
use crate::output::jsonpath::plain;
use crate::session::Session;
use crate::target::targets;
use text::Text;

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// TYPE [NAME...], or TYPE/NAME...; a name may also be how names begin
    #[arg(value_name = "WHAT")]
    words: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// Only objects whose labels match, such as `app=web,tier!=db`
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Whether to show events; if not said, those of a single object
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_name = "BOOL")]
    show_events: Option<bool>,
}

pub(crate) async fn run(session: &Session, args: DescribeArgs) -> anyhow::Result<()> {
    if args.words.is_empty() && args.files.is_empty() {
        return Err(hinted(
            "You must specify the type of resource to describe. Use \"wkctl api-resources\" for a \
             complete list of supported resources.",
            "`wkctl describe pod web` describes one pod",
        ));
    }
    let select = SelectArgs {
        selector: args.selector.clone(),
        field_selector: None,
        all_namespaces: args.all_namespaces,
    };
    let (mut objects, mut errors) =
        select::objects(session, &args.words, &args.files, &select, true).await?;
    let mut ends = "";
    if objects.is_empty() && !errors.is_empty() {
        let alike = beginning(session, &args.words).await?;
        if !alike.is_empty() {
            (objects, errors, ends) = (alike, Vec::new(), "\n");
        }
    }
    if objects.is_empty() && errors.is_empty() {
        if args.all_namespaces {
            session.console.note("No resources found");
        } else {
            select::nothing_found(session, true).await?;
        }
    }
    let with_events = args.show_events.unwrap_or(objects.len() == 1 && ends.is_empty());
    for (index, object) in objects.iter().enumerate() {
        if index > 0 && ends.is_empty() {
            session.console.print("\n\n")?;
        }
        let described = describe(session, object, with_events).await?;
        session.console.print(described + ends)?;
    }
    all_good(errors)
}

/// The objects whose names begin as the one that is given.
async fn beginning(session: &Session, words: &[String]) -> anyhow::Result<Vec<Found>> {
    let all = targets(session, words).await?;
    let [target] = all.as_slice() else { return Ok(Vec::new()) };
    let [beginning] = target.names.as_slice() else { return Ok(Vec::new()) };
    let mut found = select::list(session, &target.resource, &SelectArgs::default()).await?;
    found.retain(|object| object.name.starts_with(beginning.as_str()));
    Ok(found)
}

/// What else is shown with an object.
#[derive(Default)]
struct Related {
    /// Its pods.
    pods: Vec<Value>,
    /// What belongs to it otherwise: replica sets, endpoint slices, quotas.
    owned: Vec<Value>,
    /// Services that it leads to, where they exist.
    services: Vec<Value>,
}

impl Related {
    /// Where a backend of an ingress leads.
    fn backend(&self, backend: &Value) -> String {
        let name = kinds::text(backend, "/service/name");
        if name.is_empty() {
            let resource = backend.get("resource").unwrap_or(&Value::Null);
            let group = match kinds::text(resource, "/apiGroup") {
                "" => "<none>",
                group => group,
            };
            let (kind, name) = (kinds::text(resource, "/kind"), kinds::text(resource, "/name"));
            return format!("APIGroup: {group}, Kind: {kind}, Name: {name}");
        }
        let port = match template::value(backend, "/service/port/number") {
            number if number.is_empty() => kinds::text(backend, "/service/port/name").to_owned(),
            number => number,
        };
        let service = self.services.iter().find(|one| kinds::text(one, "/metadata/name") == name);
        let Some(service) = service else {
            return format!("{name}:{port} (<error: services {name:?} not found>)");
        };
        let meant = items(service, "/spec/ports")
            .find(|one| template::value(one, "/port") == port || kinds::text(one, "/name") == port);
        let slices: Vec<Value> =
            self.owned.iter().filter(|slice| network::is_of(slice, name)).cloned().collect();
        let leads = network::endpoints(&slices, meant.map(|one| kinds::text(one, "/name")));
        format!("{name}:{port} ({leads})")
    }
}

/// Every object of a resource in the namespace of another object.
async fn beside(session: &Session, of: &Found, word: &str) -> anyhow::Result<Vec<Value>> {
    let resource = built_in(word).with_context(|| format!("{word} are built in"))?;
    let namespace = match of.namespace.as_str() {
        "" => of.name.as_str(),
        namespace => namespace,
    };
    let all = select::list_in(session, &resource, Some(namespace), &SelectArgs::default()).await?;
    Ok(all.into_iter().map(|found| found.object).collect())
}

async fn related(session: &Session, of: &Found) -> anyhow::Result<Related> {
    let uid = kinds::text(&of.object, "/metadata/uid");
    let is_owned = |object: &Value| {
        let mut owners = items(object, "/metadata/ownerReferences");
        owners.any(|owner| {
            kinds::text(owner, "/uid") == uid
                && owner.get("controller").is_some_and(|is| *is == true)
        })
    };
    let mut related = Related::default();
    match (of.resource.group.as_str(), of.resource.kind.as_str()) {
        ("apps", "ReplicaSet" | "DaemonSet" | "StatefulSet") | ("", "ReplicationController") => {
            related.pods = beside(session, of, "pods").await?;
            related.pods.retain(is_owned);
        }
        ("apps", "Deployment") => {
            related.owned = beside(session, of, "replicasets").await?;
            related.owned.retain(is_owned);
        }
        ("", "Service") => {
            related.owned = beside(session, of, "endpointslices").await?;
            related.owned.retain(|slice| network::is_of(slice, &of.name));
        }
        ("networking.k8s.io", "Ingress") => {
            related.owned = beside(session, of, "endpointslices").await?;
            related.services = beside(session, of, "services").await?;
        }
        ("", "PersistentVolumeClaim") => {
            related.pods = beside(session, of, "pods").await?;
            related.pods.retain(|pod| storage::uses(pod, &of.name));
        }
        ("", "Namespace") => {
            related.owned = beside(session, of, "resourcequotas").await?;
            related.owned.extend(beside(session, of, "limitranges").await?);
        }
        _ => {}
    }
    Ok(related)
}

async fn describe(session: &Session, of: &Found, with_events: bool) -> anyhow::Result<String> {
    let object = &of.object;
    let mut out = Text::default();
    let related = related(session, of).await?;
    // Some kinds are so still that nothing ever happens to them.
    let mut silent = false;
    match (of.resource.group.as_str(), of.resource.kind.as_str()) {
        ("", "Pod") => pod::describe(&mut out, object),
        ("", "Node") => {
            let pods = node::pods(session, &of.name).await?;
            let lease = node::lease(session, &of.name);
            node::describe(&mut out, object, &pods, found(lease.await)?.as_ref());
        }
        ("", "Namespace") => {
            silent = true;
            policy::namespace(&mut out, object, &related);
        }
        ("", "ConfigMap") => access::config_map(&mut out, object),
        ("", "Secret") => {
            silent = true;
            access::secret(&mut out, object);
        }
        ("", "Service") => network::service(&mut out, object, &related),
        ("", "Endpoints") => network::endpoints_object(&mut out, object),
        ("", "ServiceAccount") => access::service_account(&mut out, object),
        ("", "PersistentVolumeClaim") => storage::claim(&mut out, object, &related),
        ("", "PersistentVolume") => storage::volume(&mut out, object),
        ("", "ResourceQuota") => {
            silent = true;
            policy::quota(&mut out, object);
        }
        ("", "LimitRange") => {
            silent = true;
            policy::limits(&mut out, object);
        }
        ("apps", "Deployment") => workload::deployment(&mut out, object, &related),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            workload::replica_set(&mut out, object, &related);
        }
        ("apps", "DaemonSet") => workload::daemon_set(&mut out, object, &related),
        ("apps", "StatefulSet") => workload::stateful_set(&mut out, object, &related),
        ("batch", "Job") => workload::job(&mut out, object),
        ("batch", "CronJob") => workload::cron_job(&mut out, object),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(&mut out, object),
        ("policy", "PodDisruptionBudget") => policy::disruption_budget(&mut out, object),
        ("scheduling.k8s.io", "PriorityClass") => policy::priority_class(&mut out, object),
        ("discovery.k8s.io", "EndpointSlice") => network::endpoint_slice(&mut out, object),
        ("networking.k8s.io", "Ingress") => network::ingress(&mut out, object, &related),
        ("networking.k8s.io", "IngressClass") => network::ingress_class(&mut out, object),
        ("networking.k8s.io", "NetworkPolicy") => {
            silent = true;
            network::network_policy(&mut out, object);
        }
        ("storage.k8s.io", "StorageClass") => storage::class(&mut out, object),
        ("certificates.k8s.io", "CertificateSigningRequest") => {
            access::signing_request(&mut out, object);
        }
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => {
            silent = true;
            access::role(&mut out, object);
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            silent = true;
            access::role_binding(&mut out, object);
        }
        _ => generic::anything(&mut out, object),
    }
    if with_events && !silent {
        show_events(&mut out, &events::about(session, object).await?);
    }
    Ok(out.finish())
}

/// Name and namespace, which all descriptions begin with.
fn head(out: &mut Text, object: &Value) {
    out.pair(0, "Name:", kinds::text(object, "/metadata/name"));
    out.pair_if(0, "Namespace:", kinds::text(object, "/metadata/namespace"));
}

fn metadata(out: &mut Text, object: &Value) {
    out.map(0, "Labels:", object.pointer("/metadata/labels"), "=");
    out.annotations(0, object.pointer("/metadata/annotations"));
}

/// What controls the object, if anything does.
fn controller(out: &mut Text, object: &Value) {
    let owner = items(object, "/metadata/ownerReferences")
        .find(|owner| owner.get("controller").is_some_and(|controller| *controller == true));
    if let Some(owner) = owner {
        let (kind, name) = (kinds::text(owner, "/kind"), kinds::text(owner, "/name"));
        out.pair(0, "Controlled By:", format!("{kind}/{name}"));
    }
}

/// A label selector, or a map of labels, as a text.
fn selector(selector: Option<&Value>) -> String {
    let Some(selector) = selector else { return "<none>".to_owned() };
    let structured = ["matchLabels", "matchExpressions"]
        .iter()
        .any(|field| selector.get(field).is_some_and(|value| !value.is_string()));
    let labels = if structured { selector.get("matchLabels") } else { Some(selector) };
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let mut parts: Vec<(String, String)> =
        labels.map(|(key, value)| (key.clone(), format!("={}", plain(value)))).collect();
    for one in items(selector, "/matchExpressions").filter(|_| structured) {
        let key = kinds::text(one, "/key").to_owned();
        let mut values: Vec<String> = items(one, "/values").map(plain).collect();
        values.sort_unstable();
        let values = values.join(",");
        match kinds::text(one, "/operator") {
            "In" => parts.push((key, format!(" in ({values})"))),
            "NotIn" => parts.push((key, format!(" notin ({values})"))),
            "DoesNotExist" => parts.push((format!("!{key}"), String::new())),
            _ => parts.push((key, String::new())),
        }
    }
    parts.sort_by(|(left, _), (right, _)| {
        left.trim_start_matches('!').cmp(right.trim_start_matches('!'))
    });
    let parts: Vec<String> = parts.into_iter().map(|(key, rest)| key + &rest).collect();
    if parts.is_empty() { "<none>".to_owned() } else { parts.join(",") }
}

/// Conditions with a blank behind each type, as kubectl has it.
fn state_table(out: &mut Text, object: &Value, columns: &[(&str, &str)]) {
    if items(object, "/status/conditions").next().is_none() {
        return;
    }
    out.line(0, "Conditions:");
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    out.header(1, &names);
    for condition in items(object, "/status/conditions") {
        let mut cells = columns.iter().map(|(_, field)| kinds::text(condition, field));
        let first = format!("{} ", cells.next().unwrap_or_default());
        out.row(1, std::iter::once(first.as_str()).chain(cells));
    }
}

fn show_events(out: &mut Text, events: &[Value]) {
    if events.is_empty() {
        out.pair(0, "Events:", "<none>");
        return;
    }
    out.line(0, "Events:");
    out.row(1, ["Type", "Reason", "Age", "From", "Message"]);
    out.row(1, ["----", "------", "----", "----", "-------"]);
    for event in events {
        let from = match kinds::text(event, "/source/component") {
            "" => kinds::text(event, "/reportingComponent"),
            component => component,
        };
        let field = kinds::text(event, "/involvedObject/fieldPath");
        let message = kinds::text(event, "/message").trim();
        let message =
            if field.is_empty() { message.to_owned() } else { format!("{field}: {message}") };
        let (kind, reason) = (kinds::text(event, "/type"), kinds::text(event, "/reason"));
        out.row(1, [kind, reason, &events::seen(event), from, &message]);
    }
}
