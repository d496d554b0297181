//! Answers requests for certificates: approves those of kubelets that may have one, signs what is
//! approved, and removes what is old.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/>

mod plan;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::json;
use tracing::{info, warn};
use wk_auth::{Ca, RequestedNames};
use wk_client::{Informer, Outcome, WorkQueue, error_chain};

use crate::{Shell, conflict_is_later, unless_gone};
use plan::{approvals, ends, is_open, is_to_sign, life, pem, validate};

/// When a requester that may not have what it asks for is looked at again: rights change.
const REFUSED: Duration = Duration::from_mins(1);

/// What signs certificates.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The authority that clients and the API server trust.
    pub ca: Arc<Ca>,
    /// How long certificates live at most, and those that do not say.
    pub longest: Duration,
}

impl Signer {
    /// A signer with Kubernetes' own figure: a year.
    pub fn new(ca: Arc<Ca>) -> Self {
        Self { ca, longest: Duration::from_hours(24 * 365) }
    }
}

struct Context {
    client: Client,
    requests: Informer<CertificateSigningRequest>,
    signer: Option<Signer>,
}

pub(crate) fn run(client: Client, signer: Option<Signer>, shell: &Shell) {
    if signer.is_none() {
        warn!("there is no key to sign with: approved requests for certificates stay unsigned");
    }
    let api = Api::<CertificateSigningRequest>::all(client.clone());
    let requests = Informer::start(api, watcher::Config::default(), &shell.group);
    let context = Arc::new(Context { client, requests, signer });
    let (approver, signer, cleaner) =
        (WorkQueue::<String>::default(), WorkQueue::default(), WorkQueue::default());
    let queues = [approver.clone(), signer.clone(), cleaner.clone()];
    context.requests.on_change(move |key| queues.iter().for_each(|one| one.add(key.name.clone())));
    let own = Arc::clone(&context);
    shell.run("certificate approver", &approver, 2, move |name| {
        let context = Arc::clone(&own);
        async move { conflict_is_later(Box::pin(context.approve(&name)).await) }
    });
    let own = Arc::clone(&context);
    shell.run("certificate signer", &signer, 2, move |name| {
        let context = Arc::clone(&own);
        async move { conflict_is_later(context.sign(&name).await) }
    });
    shell.run("certificate cleaner", &cleaner, 2, move |name| {
        let context = Arc::clone(&context);
        async move { conflict_is_later(context.clean(&name).await) }
    });
}

impl Context {
    fn api(&self) -> Api<CertificateSigningRequest> {
        Api::all(self.client.clone())
    }

    async fn approve(&self, name: &str) -> Result<Outcome, kube::Error> {
        self.requests.ready().await;
        let request = self.requests.get_cluster(name).filter(|request| is_open(request));
        let Some(request) = request else { return Ok(Outcome::Done) };
        let Some(names) = RequestedNames::of_request(&pem(&request)) else {
            return Ok(Outcome::Done);
        };
        let approvals = approvals(&request, &names);
        for approval in &approvals {
            if !self.is_allowed(&request, approval.subresource).await? {
                continue;
            }
            let now = wk_api::time::rfc3339(Timestamp::now());
            let patch = json!({
                "metadata": {"resourceVersion": request.metadata.resource_version},
                "status": {"conditions": [{
                    "type": "Approved",
                    "status": "True",
                    "reason": "AutoApproved",
                    "message": approval.message,
                    "lastUpdateTime": now,
                }]},
            });
            let params = PatchParams::default();
            let patched = self.api().patch_approval(name, &params, &Patch::Strategic(patch)).await;
            unless_gone(patched)?;
            info!(request = name, node = names.common_name, "certificate request approved");
            return Ok(Outcome::Done);
        }
        Ok(if approvals.is_empty() { Outcome::Done } else { Outcome::After(REFUSED) })
    }

    /// Whether the requester may have such certificates without being asked.
    async fn is_allowed(
        &self,
        request: &CertificateSigningRequest,
        subresource: &str,
    ) -> Result<bool, kube::Error> {
        let spec = &request.spec;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: spec.username.clone(),
                uid: spec.uid.clone(),
                groups: spec.groups.clone(),
                extra: spec.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some("certificates.k8s.io".to_owned()),
                    resource: Some("certificatesigningrequests".to_owned()),
                    subresource: Some(subresource.to_owned()),
                    verb: Some("create".to_owned()),
                    version: Some("*".to_owned()),
                    ..ResourceAttributes::default()
                }),
                non_resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        let api = Api::<SubjectAccessReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    async fn sign(&self, name: &str) -> Result<Outcome, kube::Error> {
        self.requests.ready().await;
        let Some(signer) = &self.signer else { return Ok(Outcome::Done) };
        let request = self.requests.get_cluster(name).filter(|request| is_to_sign(request));
        let Some(request) = request else { return Ok(Outcome::Done) };
        let signed = signed(signer, &request);
        let mut request = (*request).clone();
        let status = request.status.get_or_insert_default();
        match signed {
            Ok(certificate) => status.certificate = Some(ByteString(certificate.into_bytes())),
            Err(message) => {
                warn!(request = name, message, "certificate request cannot be signed");
                let failed = CertificateSigningRequestCondition {
                    type_: "Failed".to_owned(),
                    status: "True".to_owned(),
                    reason: Some("SignerValidationFailure".to_owned()),
                    message: Some(message),
                    last_update_time: Some(Time(Timestamp::now())),
                    last_transition_time: None,
                };
                status.conditions.get_or_insert_default().push(failed);
            }
        }
        let written = self.api().replace_status(name, &PostParams::default(), &request).await;
        unless_gone(written)?;
        info!(request = name, signer = request.spec.signer_name, "certificate request answered");
        Ok(Outcome::Done)
    }

    async fn clean(&self, name: &str) -> Result<Outcome, kube::Error> {
        self.requests.ready().await;
        let Some(request) = self.requests.get_cluster(name) else { return Ok(Outcome::Done) };
        let Some(due) = ends(&request) else { return Ok(Outcome::Done) };
        if let Ok(left) = Duration::try_from(due.duration_since(Timestamp::now()))
            && !left.is_zero()
        {
            return Ok(Outcome::After(left));
        }
        let preconditions = Some(Preconditions {
            uid: request.metadata.uid.clone(),
            resource_version: request.metadata.resource_version.clone(),
        });
        let params = DeleteParams { preconditions, ..DeleteParams::default() };
        unless_gone(self.api().delete(name, &params).await)?;
        info!(request = name, "old certificate request removed");
        Ok(Outcome::Done)
    }
}

/// The certificate, or why there cannot be one.
fn signed(signer: &Signer, request: &CertificateSigningRequest) -> Result<String, String> {
    let pem = pem(request);
    let names = RequestedNames::of_request(&pem).ok_or("the request cannot be read")?;
    validate(request, &names)?;
    let usages = request.spec.usages.clone().unwrap_or_default();
    let life = life(request, signer.longest);
    signer.ca.sign_request(&pem, &usages, life).map_err(|error| error_chain(&error))
}
