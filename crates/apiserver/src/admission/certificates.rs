//! Who may approve and sign requests for certificates, and what nobody may ask for.
//!
//! Spec: <https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#authorization>

use async_trait::async_trait;
use serde_json::Value;
use wk_api::ApiError;
use wk_auth::{Attributes as Asked, Decision, User};
use wk_resources::Update;

use super::{Attributes, Plugin, text};

const GROUP: &str = "certificates.k8s.io";
const PLURAL: &str = "certificatesigningrequests";
/// The signer of certificates that the API server takes for users.
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Whether the user may do this to requests for a signer: for this one, or for all of its domain.
async fn may(attributes: &Attributes<'_>, verb: &str, signer: &str) -> bool {
    let Some(user) = attributes.user else { return true };
    let domain = signer.split_once('/').map(|(domain, _)| format!("{domain}/*"));
    for name in [Some(signer.to_owned()), domain].into_iter().flatten() {
        let asked = Asked {
            user,
            verb,
            group: GROUP,
            version: "*",
            resource: "signers",
            subresource: "",
            namespace: "",
            name: &name,
            path: "",
        };
        if attributes.server.authorizer.authorize(&asked).await == Decision::Allow {
            return true;
        }
    }
    false
}

/// An approval is for those who may approve for the signer.
#[derive(Debug)]
pub(super) struct CertificateApproval;

#[async_trait]
impl Plugin for CertificateApproval {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.part == Update::Subresource("approval") && attributes.is_kind(GROUP, PLURAL)
    }

    async fn validate(&self, attributes: &Attributes<'_>, request: &Value) -> Result<(), ApiError> {
        let signer = text(&request["spec"], "signerName");
        if may(attributes, "approve", signer).await {
            return Ok(());
        }
        let why = format!("user not permitted to approve requests with signerName {signer:?}");
        Err(attributes.forbidden(request, &why))
    }
}

/// Certificates and verdicts of signers are for those who may sign as them.
#[derive(Debug)]
pub(super) struct CertificateSigning;

#[async_trait]
impl Plugin for CertificateSigning {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.part == Update::Status && attributes.is_kind(GROUP, PLURAL)
    }

    async fn validate(&self, attributes: &Attributes<'_>, request: &Value) -> Result<(), ApiError> {
        let Some(old) = attributes.old else { return Ok(()) };
        let same = ["certificate", "conditions"]
            .iter()
            .all(|field| request["status"][*field] == old["status"][*field]);
        let signer = text(&old["spec"], "signerName");
        if same || may(attributes, "sign", signer).await {
            return Ok(());
        }
        let why = format!("user not permitted to sign requests with signerName {signer:?}");
        Err(attributes.forbidden(request, &why))
    }
}

/// Nobody becomes an administrator by a certificate of the cluster's own signer.
#[derive(Debug)]
pub(super) struct CertificateSubjectRestriction;

#[async_trait]
impl Plugin for CertificateSubjectRestriction {
    fn handles(&self, attributes: &Attributes<'_>) -> bool {
        attributes.creates() && attributes.is(GROUP, PLURAL)
    }

    async fn validate(&self, attributes: &Attributes<'_>, request: &Value) -> Result<(), ApiError> {
        if text(&request["spec"], "signerName") != CLIENT_SIGNER {
            return Ok(());
        }
        let groups = wk_resources::requested_groups(text(&request["spec"], "request"));
        if !groups.iter().any(|group| group == User::MASTERS) {
            return Ok(());
        }
        let why =
            format!("use of {CLIENT_SIGNER} signer with {} group is not allowed", User::MASTERS);
        Err(attributes.forbidden(request, &why))
    }
}
