//! The values of fields that have only a few, for documents: what is taken is decided elsewhere.

/// Where fields with these values are, by the end of the message's name and the field.
type Row = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const ROWS: &[Row] = &[
    (
        &[
            ("core.v1.Container", "imagePullPolicy"),
            ("core.v1.EphemeralContainer", "imagePullPolicy"),
            ("core.v1.ImageVolumeSource", "pullPolicy"),
        ],
        &["Always", "IfNotPresent", "Never"],
    ),
    (
        &[
            ("core.v1.Container", "terminationMessagePolicy"),
            ("core.v1.EphemeralContainer", "terminationMessagePolicy"),
        ],
        &["FallbackToLogsOnError", "File"],
    ),
    (&[("core.v1.PodSpec", "restartPolicy")], &["Always", "Never", "OnFailure"]),
    (
        &[("core.v1.PodSpec", "dnsPolicy")],
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    ),
    (
        &[
            ("core.v1.PodSpec", "preemptionPolicy"),
            ("scheduling.v1.PriorityClass", "preemptionPolicy"),
        ],
        &["Never", "PreemptLowerPriority"],
    ),
    (
        &[
            ("core.v1.ContainerPort", "protocol"),
            ("core.v1.EndpointPort", "protocol"),
            ("core.v1.PortStatus", "protocol"),
            ("core.v1.ServicePort", "protocol"),
            ("discovery.v1.EndpointPort", "protocol"),
            ("networking.v1.IngressPortStatus", "protocol"),
            ("networking.v1.NetworkPolicyPort", "protocol"),
        ],
        &["SCTP", "TCP", "UDP"],
    ),
    (&[("core.v1.HTTPGetAction", "scheme")], &["HTTP", "HTTPS"]),
    (&[("core.v1.VolumeMount", "mountPropagation")], &["Bidirectional", "HostToContainer", "None"]),
    (
        &[("core.v1.ServiceSpec", "type")],
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    ),
    (&[("core.v1.ServiceSpec", "sessionAffinity")], &["ClientIP", "None"]),
    (
        &[
            ("core.v1.ServiceSpec", "externalTrafficPolicy"),
            ("core.v1.ServiceSpec", "internalTrafficPolicy"),
        ],
        &["Cluster", "Local"],
    ),
    (
        &[("core.v1.ServiceSpec", "ipFamilyPolicy")],
        &["PreferDualStack", "RequireDualStack", "SingleStack"],
    ),
    (
        &[("core.v1.Taint", "effect"), ("core.v1.Toleration", "effect")],
        &["NoExecute", "NoSchedule", "PreferNoSchedule"],
    ),
    (&[("core.v1.Toleration", "operator")], &["Equal", "Exists"]),
    (
        &[("core.v1.NodeSelectorRequirement", "operator")],
        &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"],
    ),
    (
        &[("core.v1.ScopedResourceSelectorRequirement", "operator")],
        &["DoesNotExist", "Exists", "In", "NotIn"],
    ),
    (
        &[("core.v1.ScopedResourceSelectorRequirement", "scopeName")],
        &[
            "BestEffort",
            "CrossNamespacePodAffinity",
            "NotBestEffort",
            "NotTerminating",
            "PriorityClass",
            "Terminating",
            "VolumeAttributesClass",
        ],
    ),
    (
        &[("core.v1.TopologySpreadConstraint", "whenUnsatisfiable")],
        &["DoNotSchedule", "ScheduleAnyway"],
    ),
    (
        &[
            ("core.v1.TopologySpreadConstraint", "nodeAffinityPolicy"),
            ("core.v1.TopologySpreadConstraint", "nodeTaintsPolicy"),
        ],
        &["Honor", "Ignore"],
    ),
    (
        &[("core.v1.HostPathVolumeSource", "type")],
        &[
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ],
    ),
    (&[("core.v1.AzureDiskVolumeSource", "cachingMode")], &["None", "ReadOnly", "ReadWrite"]),
    (&[("core.v1.AzureDiskVolumeSource", "kind")], &["Dedicated", "Managed", "Shared"]),
    (&[("core.v1.PodStatus", "phase")], &["Failed", "Pending", "Running", "Succeeded", "Unknown"]),
    (&[("core.v1.PodStatus", "qosClass")], &["BestEffort", "Burstable", "Guaranteed"]),
    (
        &[
            ("core.v1.PersistentVolumeSpec", "persistentVolumeReclaimPolicy"),
            ("storage.v1.StorageClass", "reclaimPolicy"),
        ],
        &["Delete", "Recycle", "Retain"],
    ),
    (
        &[
            ("core.v1.PersistentVolumeClaimSpec", "volumeMode"),
            ("core.v1.PersistentVolumeSpec", "volumeMode"),
        ],
        &["Block", "Filesystem"],
    ),
    (
        &[("core.v1.PersistentVolumeStatus", "phase")],
        &["Available", "Bound", "Failed", "Pending", "Released"],
    ),
    (&[("core.v1.PersistentVolumeClaimStatus", "phase")], &["Bound", "Lost", "Pending"]),
    (&[("core.v1.NamespaceStatus", "phase")], &["Active", "Terminating"]),
    (&[("core.v1.NodeStatus", "phase")], &["Pending", "Running", "Terminated"]),
    (
        &[("core.v1.AppArmorProfile", "type"), ("core.v1.SeccompProfile", "type")],
        &["Localhost", "RuntimeDefault", "Unconfined"],
    ),
    (&[("core.v1.SecurityContext", "procMount")], &["Default", "Unmasked"]),
    (&[("core.v1.PodSecurityContext", "fsGroupChangePolicy")], &["Always", "OnRootMismatch"]),
    (&[("core.v1.PodSecurityContext", "supplementalGroupsPolicy")], &["Merge", "Strict"]),
    (&[("apps.v1.DeploymentStrategy", "type")], &["Recreate", "RollingUpdate"]),
    (
        &[
            ("apps.v1.DaemonSetUpdateStrategy", "type"),
            ("apps.v1.StatefulSetUpdateStrategy", "type"),
        ],
        &["OnDelete", "RollingUpdate"],
    ),
    (&[("apps.v1.StatefulSetSpec", "podManagementPolicy")], &["OrderedReady", "Parallel"]),
    (&[("batch.v1.CronJobSpec", "concurrencyPolicy")], &["Allow", "Forbid", "Replace"]),
    (&[("batch.v1.JobSpec", "completionMode")], &["Indexed", "NonIndexed"]),
    (&[("batch.v1.JobSpec", "podReplacementPolicy")], &["Failed", "TerminatingOrFailed"]),
    (&[("batch.v1.PodFailurePolicyRule", "action")], &["Count", "FailIndex", "FailJob", "Ignore"]),
    (&[("batch.v1.PodFailurePolicyOnExitCodesRequirement", "operator")], &["In", "NotIn"]),
    (
        &[("networking.v1.HTTPIngressPath", "pathType")],
        &["Exact", "ImplementationSpecific", "Prefix"],
    ),
    (&[("discovery.v1.EndpointSlice", "addressType")], &["FQDN", "IPv4", "IPv6"]),
    (
        &[
            ("admissionregistration.v1.MutatingAdmissionPolicySpec", "failurePolicy"),
            ("admissionregistration.v1.MutatingWebhook", "failurePolicy"),
            ("admissionregistration.v1.ValidatingAdmissionPolicySpec", "failurePolicy"),
            ("admissionregistration.v1.ValidatingWebhook", "failurePolicy"),
        ],
        &["Fail", "Ignore"],
    ),
    (
        &[
            ("admissionregistration.v1.MatchResources", "matchPolicy"),
            ("admissionregistration.v1.MutatingWebhook", "matchPolicy"),
            ("admissionregistration.v1.ValidatingWebhook", "matchPolicy"),
        ],
        &["Equivalent", "Exact"],
    ),
    (
        &[
            ("admissionregistration.v1.MutatingWebhook", "sideEffects"),
            ("admissionregistration.v1.ValidatingWebhook", "sideEffects"),
        ],
        &["None", "NoneOnDryRun", "Some", "Unknown"],
    ),
    (
        &[
            ("admissionregistration.v1.MutatingAdmissionPolicySpec", "reinvocationPolicy"),
            ("admissionregistration.v1.MutatingWebhook", "reinvocationPolicy"),
        ],
        &["IfNeeded", "Never"],
    ),
    (
        &[
            ("admissionregistration.v1.NamedRuleWithOperations", "scope"),
            ("admissionregistration.v1.RuleWithOperations", "scope"),
        ],
        &["*", "Cluster", "Namespaced"],
    ),
    (&[("storage.v1.StorageClass", "volumeBindingMode")], &["Immediate", "WaitForFirstConsumer"]),
    (
        &[("policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy")],
        &["AlwaysAllow", "IfHealthyBudget"],
    ),
];

/// The values of a field of a message; empty for fields that are not known to have only a few.
pub(super) fn of(message: &str, field: &str) -> &'static [&'static str] {
    let Some(message) = message.strip_prefix("io.k8s.api.") else { return &[] };
    let found = ROWS.iter().find(|(places, _)| places.contains(&(message, field)));
    found.map_or(&[], |(_, values)| values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_about_a_field_that_there_is() {
        for (places, values) in ROWS {
            assert!(values.is_sorted(), "{values:?}");
            for (message, field) in *places {
                let found = crate::message(&format!("io.k8s.api.{message}"));
                let found = found.and_then(|message| message.field(field));
                assert_eq!(
                    found.map(|field| field.ty),
                    Some(crate::Type::String),
                    "{message}.{field}"
                );
            }
        }
    }
}
