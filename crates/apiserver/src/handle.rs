//! The one path of every request.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio::time::Instant;
use tracing::{debug, error};
use wk_api::{ApiError, Reason};
use wk_auth::User;

use crate::body::{self, Expected, Sent};
use crate::catalog::Resource;
use crate::encode::{self, Look};
use crate::error::{self, Answer};
use crate::negotiate;
use crate::options::{DeleteOptions, ListOptions, Query, WriteOptions};
use crate::remove::Removed;
use crate::route::{ResourcePath, Target, Verb};
use crate::server::ApiServer;
use crate::table::Include;
use crate::write::{Creation, Written};
use crate::{
    audit, authorize, bootstrap, components, connect, discovery, impersonate, list, maintenance,
    openapi, patch, remove, reviews, subresources, system, tokens, usage, warnings, watch, write,
};

/// The most bytes of the name of a program that manages fields.
const MAX_MANAGER: usize = 128;

/// A request about objects, authorised.
pub(crate) struct Call {
    pub(crate) server: Arc<ApiServer>,
    pub(crate) resource: Arc<Resource>,
    pub(crate) path: ResourcePath,
    pub(crate) verb: Verb,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) user: User,
    pub(crate) look: Look,
    /// The connection, if it can become something else than HTTP.
    pub(crate) upgrade: Option<OnUpgrade>,
}

impl Call {
    /// What a body of the kind itself is to be.
    pub(crate) fn expected(&self) -> Expected<'_> {
        Expected {
            api_version: &self.resource.api_version,
            kind: &self.resource.definition.kind,
            message: self.resource.definition.message,
        }
    }

    /// Who manages the fields that the request writes: whom it names, or else its program.
    pub(crate) fn manager<'a>(&'a self, options: &'a WriteOptions) -> &'a str {
        if !options.manager.is_empty() {
            return &options.manager;
        }
        // As a header it is printable ASCII.
        let agent = self.headers.get(http::header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let name = agent.split('/').next().unwrap_or_default();
        let name = &name[..name.len().min(MAX_MANAGER)];
        if name.is_empty() { "unknown" } else { name }
    }

    /// The media type of the body.
    pub(crate) fn media_type(&self) -> &str {
        body::media_type(&self.headers)
    }

    /// The answer about an object that was written.
    pub(crate) fn written(&self, written: Written, warnings: &[String]) -> Answer {
        let status = if written.created() { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = match written {
            Written::Created(object) | Written::Updated(object) => {
                encode::object(&self.resource, &object, self.look, status)?
            }
            Written::Dry { value, .. } => encode::value(&self.resource, value, self.look, status)?,
        };
        encode::warn(&mut response, warnings);
        Ok(response)
    }
}

/// Answers a request, whatever happens.
pub(crate) async fn handle(server: Arc<ApiServer>, request: Request<Body>) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let target = Target::parse(&path);
    let (verb, resource) = labels(&server, &method, &target, request.uri().query());
    let answer = AssertUnwindSafe(answer(&server, request, target)).catch_unwind();
    let answer = warnings::collected(Box::pin(answer));
    let ((answer, warned), notes) = audit::collected(answer).await;
    let mut response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(failure)) => {
            debug!(%method, path, code = failure.code, message = %failure, "refused");
            error::response(&failure)
        }
        Err(panic) => {
            let reason = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            error!(%method, path, reason, "a request panicked");
            error::response(&ApiError::internal("the request could not be handled"))
        }
    };
    encode::warn(&mut response, &warned);
    notes.tell(verb, &path, response.status());
    server.metrics.request(verb, &resource, response.status(), begun.elapsed());
    response
}

/// The verb and the resource of a request as metrics name them.
fn labels(
    server: &ApiServer,
    method: &Method,
    target: &Target,
    query: Option<&str>,
) -> (&'static str, String) {
    match target {
        Target::Resource(path) => {
            let watch = path.watch || query.is_some_and(|query| query.contains("watch="));
            let verb = Verb::of(method, !path.name.is_empty(), watch).map_or("", Verb::as_str);
            // Only names of kinds: anything may stand in a path.
            let known = server.catalog.get(&path.group, &path.version, &path.resource);
            (verb, known.map_or_else(String::new, |known| known.gr.to_string()))
        }
        Target::Path(_) => ("get", String::new()),
    }
}

async fn answer(server: &Arc<ApiServer>, request: Request<Body>, target: Target) -> Answer {
    let (mut parts, body) = request.into_parts();
    let user = authenticate(server, &parts, &target)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let asked = asked(&parts.method, &target, &query);
    let user = impersonate::acting(server, user, &mut parts.headers, &asked).await?;
    match target {
        Target::Path(path) => {
            authorize::path(server, &user, &parts.method, &path).await?;
            if path.starts_with(maintenance::PREFIX) {
                return maintenance::answer(server, &user, &parts.method, &path, body).await;
            }
            other(server, &parts.method, &path, &query, &parts.headers, body).await
        }
        Target::Resource(path) if connect::is_outward(&path) => {
            connect::answer(server, parts, path, &user, query, body).await
        }
        Target::Resource(path) => {
            let named = !path.name.is_empty();
            let verb = verb_of(&parts.method, &path, &query).ok_or_else(not_allowed)?;
            authorize::resource(server, &user, verb, &path).await?;
            let found = server.catalog.get(&path.group, &path.version, &path.resource);
            if let Some(kind) = reviews::kind(&path) {
                return reviews::answer(server, &parts, &path, kind, verb, &user, body).await;
            }
            let resource = found.ok_or_else(|| usage::missing(&path))?;
            // Objects of namespaces are nowhere else, and the other way round.
            let namespaced = resource.definition.namespaced;
            let misplaced = if namespaced {
                path.namespace.is_empty() && named
            } else {
                !path.namespace.is_empty()
            };
            if misplaced || path.name.contains('/') || path.namespace.contains('/') {
                return Err(ApiError::no_such_resource());
            }
            let protobuf = resource.definition.message.is_some();
            let format = match path.subresource.as_str() {
                "token" => negotiate::format_without_rows(&parts.headers, protobuf),
                _ => negotiate::format(&parts.headers, protobuf),
            };
            // A stream is what it is, whatever is accepted.
            let format = match path.subresource.as_str() {
                "log" | "proxy" | "exec" | "attach" | "portforward" => negotiate::Format::JSON,
                _ => format?,
            };
            let look = Look {
                format,
                include: Include::parse(query.text("includeObject")),
                gzip: encode::takes_gzip(&parts.headers),
            };
            let call = Call {
                server: Arc::clone(server),
                resource,
                path,
                verb,
                query,
                upgrade: parts.extensions.get::<OnUpgrade>().cloned(),
                headers: parts.headers,
                user,
                look,
            };
            if usage::is_measured(&call.resource) {
                usage::answer(&call).await
            } else if call.path.subresource.is_empty() {
                objects(&call, body).await
            } else {
                subresources::answer(&call, body).await
            }
        }
    }
}

/// The verb of a request about objects.
fn verb_of(method: &Method, path: &ResourcePath, query: &Query) -> Option<Verb> {
    let watching = path.watch || query.flag("watch") == Some(true);
    Verb::of(method, !path.name.is_empty(), watching && path.subresource.is_empty())
}

/// What a request asks leave for.
fn asked<'a>(method: &Method, target: &'a Target, query: &Query) -> authorize::Asked<'a> {
    let word = || method.as_str().to_lowercase();
    match target {
        Target::Path(path) => authorize::Asked::Path { verb: word(), path },
        Target::Resource(path) => {
            let verb = verb_of(method, path, query);
            let verb = verb.map_or_else(word, |verb| verb.as_str().to_owned());
            authorize::Asked::Resource { verb, path }
        }
    }
}

/// Who asks: whom the transport knows, or else whose token is shown.
fn authenticate(server: &ApiServer, parts: &Parts, target: &Target) -> Result<User, ApiError> {
    let known = parts.extensions.get::<User>();
    if let Some(user) = known.filter(|user| user.name != User::ANONYMOUS) {
        return Ok(user.clone());
    }
    // Who joins shows a secret of another kind.
    let joins = matches!(target, Target::Path(path) if path.starts_with("/bootstrap/v1/"));
    match tokens::bearer(&parts.headers).filter(|_| !joins) {
        None => Ok(User::anonymous()),
        Some(token) => match tokens::authenticate(server, &token, &[]) {
            Ok((user, _)) => Ok(user),
            Err(fault) => {
                debug!(error = %fault, "a token was refused");
                Err(ApiError::unauthorized())
            }
        },
    }
}

/// 405 for a method that a path does not have.
pub(crate) fn not_allowed() -> ApiError {
    let message = "the server does not allow this method on the requested resource";
    let mut error = ApiError::new(405, Reason::MethodNotAllowed, message);
    error.details = Some(Box::default());
    error
}

/// Requests about whole objects.
async fn objects(call: &Call, body: Body) -> Answer {
    if call.verb == Verb::Create && call.resource.definition.kind == "Binding" {
        return subresources::create_binding(call, body).await;
    }
    if !call.resource.has_verb(call.verb.as_str()) {
        return Err(not_allowed());
    }
    if *call.resource.definition.verbs == ["create"] {
        // A question that nobody here answers; it is nothing to be stored.
        return Err(ApiError::no_such_resource());
    }
    if call.resource.definition.kind == "ComponentStatus" && call.resource.gr.group.is_empty() {
        return components::answer(call).await;
    }
    let (namespace, name) = (call.path.namespace.as_str(), call.path.name.as_str());
    match call.verb {
        Verb::Get => {
            let object = list::get(call).await?;
            encode::object(&call.resource, &object, call.look, StatusCode::OK)
        }
        Verb::List => {
            let options = ListOptions::read(&call.query, &call.resource, name, false)?;
            list::list(call, &options).await
        }
        Verb::Watch => {
            let options = ListOptions::read(&call.query, &call.resource, name, true)?;
            watch::watch(call, &options).await
        }
        Verb::Create if !name.is_empty() => Err(not_allowed()),
        Verb::Create if call.resource.definition.namespaced && namespace.is_empty() => {
            Err(not_allowed())
        }
        Verb::Create => {
            let options = WriteOptions::read(&call.query, "CreateOptions")?;
            let sent = sent(call, body, &options).await?;
            let creation = Creation {
                resource: &call.resource,
                namespace,
                options: &options,
                user: &call.user,
                manager: Some(call.manager(&options)),
            };
            let written = write::create(&call.server, &creation, sent.value).await?;
            call.written(written, &sent.warnings)
        }
        Verb::Update | Verb::Patch if name.is_empty() => Err(not_allowed()),
        Verb::Update => {
            let options = WriteOptions::read(&call.query, "UpdateOptions")?;
            let sent = sent(call, body, &options).await?;
            let written = write::replace(call, sent.value, &options).await?;
            call.written(written, &sent.warnings)
        }
        Verb::Patch => {
            let options = WriteOptions::read(&call.query, "PatchOptions")?;
            let bytes = body::read(body).await?;
            let (written, warnings) =
                patch::patch(call, &bytes, wk_resources::Update::Whole, &options).await?;
            call.written(written, &warnings)
        }
        Verb::Delete => {
            let options = delete_options(call, body).await?;
            let removed =
                remove::remove(&call.server, &call.resource, namespace, name, &options).await?;
            removed_answer(call, removed)
        }
        Verb::DeleteCollection => {
            let options = delete_options(call, body).await?;
            let selected = ListOptions::read(&call.query, &call.resource, "", false)?;
            remove::collection(call, &selected, &options).await
        }
    }
}

/// The object in a body.
async fn sent(call: &Call, body: Body, options: &WriteOptions) -> Result<Sent, ApiError> {
    let bytes = body::read(body).await?;
    body::decode_object(&bytes, call.media_type(), call.expected(), options.validation)
}

/// The options of a deletion.
pub(crate) async fn delete_options(call: &Call, body: Body) -> Result<DeleteOptions, ApiError> {
    let bytes = body::read(body).await?;
    let expected = Expected { api_version: "", kind: "DeleteOptions", message: None };
    // Clients send it as `v1`, as `meta.k8s.io/v1` or in the group of the kind.
    let value = match call.media_type() {
        "application/vnd.kubernetes.protobuf" if !bytes.is_empty() => {
            let message = encode::meta_message("DeleteOptions")
                .ok_or_else(|| ApiError::internal("the schema has no DeleteOptions"))?;
            let bad = |error: wk_schema::protobuf::ProtobufError| {
                ApiError::bad_request(error.to_string())
            };
            let unknown = wk_schema::protobuf::open(&bytes).map_err(bad)?;
            Some(wk_schema::protobuf::read_object(&unknown, message).map_err(bad)?)
        }
        _ if bytes.is_empty() => None,
        "application/yaml" => Some(body::parse_yaml(&bytes)?),
        _ => Some(body::parse(&bytes)?),
    };
    let value = match value {
        Some(value) => {
            let message = encode::meta_message("DeleteOptions");
            Some(body::decode_parsed(value, Expected { message, ..expected })?.0)
        }
        None => None,
    };
    DeleteOptions::read(&call.query, value.as_ref())
}

/// The answer about an object that was deleted, or is being.
pub(crate) fn removed_answer(call: &Call, removed: Removed) -> Answer {
    match removed {
        Removed::Kept(written) => call.written(written, &[]),
        Removed::Gone { object, revision } => {
            if remove::shows_deleted(&call.resource) {
                let value = call.resource.value_at(&object, revision);
                return encode::value(&call.resource, value, call.look, StatusCode::OK);
            }
            let value = call.resource.value(&object);
            let uid = value.pointer("/metadata/uid").and_then(|uid| uid.as_str());
            let details = wk_api::status::Details {
                name: object.name().to_owned(),
                group: call.resource.gr.group.clone(),
                kind: call.resource.gr.resource.clone(),
                uid: uid.unwrap_or_default().to_owned(),
                ..Default::default()
            };
            let status = wk_api::status::success(Some(&details));
            let look = Look {
                format: negotiate::Format { shape: negotiate::Shape::Plain, ..call.look.format },
                ..call.look
            };
            encode::plain(&status, encode::meta_message("Status"), look, StatusCode::OK)
        }
    }
}

/// Requests about anything else.
async fn other(
    server: &Arc<ApiServer>,
    method: &Method,
    path: &str,
    query: &Query,
    headers: &HeaderMap,
    body: Body,
) -> Answer {
    if path.starts_with("/bootstrap/v1/") {
        return bootstrap::answer(server, method, path, headers, body).await;
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(not_allowed());
    }
    if let Some(answer) = system::answer(server, path, query).await {
        return answer;
    }
    if let Some(answer) = tokens::discovery(server, path) {
        return answer;
    }
    if path == "/openapi" || path.starts_with("/openapi/") {
        return openapi::answer(server, path, query, headers).await;
    }
    discovery::answer(server, path, headers)
}
