//! Parts of workload kinds and of the kinds of other groups: mostly defaults.

use serde_json::{Map, Value, json};

use crate::look::{Look, always, default_to};
use crate::walk::TypeRule;

/// The rule of a message outside the core group, by its name behind `io.k8s.`.
pub(super) fn rule(name: &str) -> &'static TypeRule {
    match name {
        "api.apps.v1.DaemonSetSpec" => &DAEMON_SET,
        "api.apps.v1.DeploymentSpec" => &DEPLOYMENT,
        "api.apps.v1.ReplicaSetSpec" => &REPLICA_SET,
        "api.apps.v1.StatefulSetSpec" => &STATEFUL_SET,
        "api.batch.v1.CronJobSpec" => &CRON_JOB,
        "api.batch.v1.JobTemplateSpec" => &JOB_TEMPLATE,
        "api.batch.v1.PodFailurePolicyOnPodConditionsPattern" => &CONDITION_PATTERN,
        "api.networking.v1.IngressClassParametersReference" => &INGRESS_PARAMETERS,
        "api.networking.v1.NetworkPolicySpec" => &NETWORK_POLICY,
        "api.networking.v1.NetworkPolicyPort" => &NETWORK_POLICY_PORT,
        "api.admissionregistration.v1.MutatingWebhook" => &MUTATING_WEBHOOK,
        "api.admissionregistration.v1.ValidatingWebhook" => &WEBHOOK,
        "api.admissionregistration.v1.RuleWithOperations" => &WEBHOOK_RULE,
        "api.admissionregistration.v1.ServiceReference" => &WEBHOOK_SERVICE,
        "api.admissionregistration.v1.ValidatingAdmissionPolicySpec"
        | "api.admissionregistration.v1.MutatingAdmissionPolicySpec" => &ADMISSION_POLICY,
        "api.admissionregistration.v1.MatchResources" => &MATCH_RESOURCES,
        "api.flowcontrol.v1.FlowSchemaSpec" => &FLOW_SCHEMA,
        "api.flowcontrol.v1.LimitedPriorityLevelConfiguration" => &LIMITED_LEVEL,
        "api.flowcontrol.v1.ExemptPriorityLevelConfiguration" => &EXEMPT_LEVEL,
        "api.flowcontrol.v1.QueuingConfiguration" => &QUEUING,
        _ => &TypeRule::NONE,
    }
}

const DEPLOYMENT: TypeRule = TypeRule {
    zeros: &["minReadySeconds", "paused"],
    default: |spec| {
        number(spec, "replicas", 1);
        number(spec, "revisionHistoryLimit", 10);
        number(spec, "progressDeadlineSeconds", 600);
        rolling(spec, "strategy", &[("maxSurge", json!("25%")), ("maxUnavailable", json!("25%"))]);
    },
    ..TypeRule::NONE
};

const REPLICA_SET: TypeRule = TypeRule {
    zeros: &["minReadySeconds"],
    default: |spec| number(spec, "replicas", 1),
    ..TypeRule::NONE
};

const STATEFUL_SET: TypeRule = TypeRule {
    zeros: &["minReadySeconds"],
    default: default_stateful_set,
    completed: |spec, field| (field == "template").then(|| with_claims(spec)).flatten(),
    ..TypeRule::NONE
};

/// The template with the volumes that its pods get of the claim templates.
fn with_claims(spec: &Map<String, Value>) -> Option<Value> {
    let claims = spec.get("volumeClaimTemplates")?.as_array()?;
    let mut template = spec.get("template")?.clone();
    let volumes = template.get_mut("spec")?.as_object_mut()?;
    let volumes = volumes.entry("volumes").or_insert_with(|| json!([])).as_array_mut()?;
    for claim in claims {
        let name = &claim["metadata"]["name"];
        // A claim takes the place of a volume of its name.
        if !volumes.iter().any(|volume| volume["name"] == *name) {
            let source = json!({"claimName": name});
            volumes.push(json!({"name": name, "persistentVolumeClaim": source}));
        }
    }
    Some(template)
}

const DAEMON_SET: TypeRule = TypeRule {
    zeros: &["minReadySeconds"],
    default: |spec| {
        number(spec, "revisionHistoryLimit", 10);
        rolling(spec, "updateStrategy", &[("maxSurge", json!(0)), ("maxUnavailable", json!(1))]);
    },
    ..TypeRule::NONE
};

const CRON_JOB: TypeRule = TypeRule {
    default: |spec| {
        default_to(spec, "concurrencyPolicy", "Allow");
        spec.entry("suspend").or_insert_with(|| false.into());
        number(spec, "successfulJobsHistoryLimit", 3);
        number(spec, "failedJobsHistoryLimit", 1);
    },
    ..TypeRule::NONE
};

const JOB_TEMPLATE: TypeRule = TypeRule {
    default: |template| {
        always(template, "metadata");
        always(template, "spec");
    },
    ..TypeRule::NONE
};

const CONDITION_PATTERN: TypeRule =
    TypeRule { default: |pattern| default_to(pattern, "status", "True"), ..TypeRule::NONE };

const INGRESS_PARAMETERS: TypeRule =
    TypeRule { default: |reference| default_to(reference, "scope", "Cluster"), ..TypeRule::NONE };

const NETWORK_POLICY: TypeRule = TypeRule {
    default: |spec| {
        always(spec, "podSelector");
        if spec.lacks("policyTypes") {
            // A policy is about ingress unless it says otherwise, and about egress if it has any.
            let egress = !spec.lacks("egress");
            let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            spec.insert("policyTypes".to_owned(), types);
        }
    },
    ..TypeRule::NONE
};

const NETWORK_POLICY_PORT: TypeRule =
    TypeRule { default: |port| default_to(port, "protocol", "TCP"), ..TypeRule::NONE };

const WEBHOOK: TypeRule = TypeRule { default: default_webhook, ..TypeRule::NONE };

const MUTATING_WEBHOOK: TypeRule = TypeRule {
    default: |webhook| {
        default_webhook(webhook);
        default_to(webhook, "reinvocationPolicy", "Never");
    },
    ..TypeRule::NONE
};

const WEBHOOK_RULE: TypeRule =
    TypeRule { default: |rule| default_to(rule, "scope", "*"), ..TypeRule::NONE };

const WEBHOOK_SERVICE: TypeRule =
    TypeRule { default: |service| number(service, "port", 443), ..TypeRule::NONE };

const ADMISSION_POLICY: TypeRule =
    TypeRule { default: |spec| default_to(spec, "failurePolicy", "Fail"), ..TypeRule::NONE };

const MATCH_RESOURCES: TypeRule = TypeRule {
    default: |resources| {
        default_to(resources, "matchPolicy", "Equivalent");
        always(resources, "namespaceSelector");
        always(resources, "objectSelector");
    },
    ..TypeRule::NONE
};

const FLOW_SCHEMA: TypeRule = TypeRule {
    zeros: &["matchingPrecedence"],
    default: |spec| number(spec, "matchingPrecedence", 1000),
    ..TypeRule::NONE
};

const LIMITED_LEVEL: TypeRule = TypeRule {
    default: |level| {
        number(level, "nominalConcurrencyShares", 30);
        number(level, "lendablePercent", 0);
        let response = always(level, "limitResponse");
        if let Value::Object(response) = response {
            default_to(response, "type", "Reject");
        }
    },
    ..TypeRule::NONE
};

const EXEMPT_LEVEL: TypeRule = TypeRule {
    default: |level| {
        number(level, "nominalConcurrencyShares", 0);
        number(level, "lendablePercent", 0);
    },
    ..TypeRule::NONE
};

const QUEUING: TypeRule = TypeRule {
    zeros: &["handSize", "queueLengthLimit", "queues"],
    default: |queuing| {
        number(queuing, "handSize", 8);
        number(queuing, "queues", 64);
        number(queuing, "queueLengthLimit", 50);
    },
    ..TypeRule::NONE
};

fn number(spec: &mut Map<String, Value>, field: &str, value: i64) {
    spec.entry(field).or_insert_with(|| value.into());
}

/// Defaults of an update strategy: rolling, with these parameters.
fn rolling(spec: &mut Map<String, Value>, field: &str, parameters: &[(&str, Value)]) {
    let Value::Object(strategy) = always(spec, field) else { return };
    default_to(strategy, "type", "RollingUpdate");
    if strategy.text("type") != "RollingUpdate" {
        return;
    }
    if let Value::Object(rolling) = always(strategy, "rollingUpdate") {
        for (name, value) in parameters {
            rolling.entry(*name).or_insert_with(|| value.clone());
        }
    }
}

fn default_stateful_set(spec: &mut Map<String, Value>) {
    number(spec, "replicas", 1);
    number(spec, "revisionHistoryLimit", 10);
    default_to(spec, "podManagementPolicy", "OrderedReady");
    rolling(spec, "updateStrategy", &[("partition", json!(0))]);
    if let Value::Object(policy) = always(spec, "persistentVolumeClaimRetentionPolicy") {
        default_to(policy, "whenDeleted", "Retain");
        default_to(policy, "whenScaled", "Retain");
    }
    let Some(Value::Array(claims)) = spec.get_mut("volumeClaimTemplates") else { return };
    for claim in claims.iter_mut().filter_map(Value::as_object_mut) {
        default_to(claim, "apiVersion", "v1");
        default_to(claim, "kind", "PersistentVolumeClaim");
        if let Value::Object(status) = always(claim, "status") {
            default_to(status, "phase", "Pending");
        }
    }
}

fn default_webhook(webhook: &mut Map<String, Value>) {
    default_to(webhook, "failurePolicy", "Fail");
    default_to(webhook, "matchPolicy", "Equivalent");
    always(webhook, "namespaceSelector");
    always(webhook, "objectSelector");
    number(webhook, "timeoutSeconds", 10);
}
