//! The messages of `io.k8s.api.batch.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.batch.v1.CronJob`.
pub(crate) static CRON_JOB: Message = Message {
    name: "io.k8s.api.batch.v1.CronJob",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&CRON_JOB_SPEC)).omit_empty().required(),
        Field::new("status", 3, Type::Message(&CRON_JOB_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.CronJobList`.
pub(crate) static CRON_JOB_LIST: Message = Message {
    name: "io.k8s.api.batch.v1.CronJobList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CRON_JOB))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.CronJobSpec`.
pub(crate) static CRON_JOB_SPEC: Message = Message {
    name: "io.k8s.api.batch.v1.CronJobSpec",
    fields: &[
        Field::new("concurrencyPolicy", 3, Type::String).omit_empty(),
        Field::new("failedJobsHistoryLimit", 7, Type::Int32),
        Field::new("jobTemplate", 5, Type::Message(&JOB_TEMPLATE_SPEC)).always().required(),
        Field::new("schedule", 1, Type::String).always().required(),
        Field::new("startingDeadlineSeconds", 2, Type::Int64),
        Field::new("successfulJobsHistoryLimit", 6, Type::Int32),
        Field::new("suspend", 4, Type::Bool),
        Field::new("timeZone", 8, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.CronJobStatus`.
pub(crate) static CRON_JOB_STATUS: Message = Message {
    name: "io.k8s.api.batch.v1.CronJobStatus",
    fields: &[
        Field::new("active", 1, Type::List(&Type::Message(&super::core_v1::OBJECT_REFERENCE)))
            .omit_empty(),
        Field::new("lastScheduleTime", 4, Type::Time),
        Field::new("lastSuccessfulTime", 5, Type::Time),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.Job`.
pub(crate) static JOB: Message = Message {
    name: "io.k8s.api.batch.v1.Job",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&JOB_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&JOB_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.JobCondition`.
pub(crate) static JOB_CONDITION: Message = Message {
    name: "io.k8s.api.batch.v1.JobCondition",
    fields: &[
        Field::new("lastProbeTime", 3, Type::Time).omit_empty(),
        Field::new("lastTransitionTime", 4, Type::Time).omit_empty(),
        Field::new("message", 6, Type::String).omit_empty(),
        Field::new("reason", 5, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.JobList`.
pub(crate) static JOB_LIST: Message = Message {
    name: "io.k8s.api.batch.v1.JobList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&JOB))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.JobSpec`.
pub(crate) static JOB_SPEC: Message = Message {
    name: "io.k8s.api.batch.v1.JobSpec",
    fields: &[
        Field::new("activeDeadlineSeconds", 3, Type::Int64),
        Field::new("backoffLimit", 7, Type::Int32),
        Field::new("backoffLimitPerIndex", 12, Type::Int32),
        Field::new("completionMode", 9, Type::String),
        Field::new("completions", 2, Type::Int32),
        Field::new("managedBy", 15, Type::String),
        Field::new("manualSelector", 5, Type::Bool),
        Field::new("maxFailedIndexes", 13, Type::Int32),
        Field::new("parallelism", 1, Type::Int32),
        Field::new("podFailurePolicy", 11, Type::Message(&POD_FAILURE_POLICY)),
        Field::new("podReplacementPolicy", 14, Type::String),
        Field::new("selector", 4, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("successPolicy", 16, Type::Message(&SUCCESS_POLICY)),
        Field::new("suspend", 10, Type::Bool),
        Field::new("template", 6, Type::Message(&super::core_v1::POD_TEMPLATE_SPEC))
            .always()
            .required(),
        Field::new("ttlSecondsAfterFinished", 8, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.JobStatus`.
pub(crate) static JOB_STATUS: Message = Message {
    name: "io.k8s.api.batch.v1.JobStatus",
    fields: &[
        Field::new("active", 4, Type::Int32).omit_empty(),
        Field::new("completedIndexes", 7, Type::String).omit_empty(),
        Field::new("completionTime", 3, Type::Time),
        Field::new("conditions", 1, Type::List(&Type::Message(&JOB_CONDITION)))
            .omit_empty()
            .merge(&MergeRule { patch: PatchStrategy::Merge("type"), ..MergeRule::PLAIN }),
        Field::new("failed", 6, Type::Int32).omit_empty(),
        Field::new("failedIndexes", 10, Type::String),
        Field::new("ready", 9, Type::Int32),
        Field::new("startTime", 2, Type::Time),
        Field::new("succeeded", 5, Type::Int32).omit_empty(),
        Field::new("terminating", 11, Type::Int32),
        Field::new("uncountedTerminatedPods", 8, Type::Message(&UNCOUNTED_TERMINATED_PODS)),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.JobTemplateSpec`.
pub(crate) static JOB_TEMPLATE_SPEC: Message = Message {
    name: "io.k8s.api.batch.v1.JobTemplateSpec",
    fields: &[
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&JOB_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.PodFailurePolicy`.
pub(crate) static POD_FAILURE_POLICY: Message = Message {
    name: "io.k8s.api.batch.v1.PodFailurePolicy",
    fields: &[Field::new("rules", 1, Type::List(&Type::Message(&POD_FAILURE_POLICY_RULE)))
        .always()
        .required()],
    atomic: false,
};

/// `io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement`.
pub(crate) static POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT: Message = Message {
    name: "io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement",
    fields: &[
        Field::new("containerName", 1, Type::String),
        Field::new("operator", 2, Type::String).always().required(),
        Field::new("values", 3, Type::List(&Type::Int32))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern`.
pub(crate) static POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN: Message = Message {
    name: "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern",
    fields: &[
        Field::new("status", 2, Type::String).always(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.PodFailurePolicyRule`.
pub(crate) static POD_FAILURE_POLICY_RULE: Message = Message {
    name: "io.k8s.api.batch.v1.PodFailurePolicyRule",
    fields: &[
        Field::new("action", 1, Type::String).always().required(),
        Field::new("onExitCodes", 2, Type::Message(&POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT)),
        Field::new(
            "onPodConditions",
            3,
            Type::List(&Type::Message(&POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN)),
        )
        .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.SuccessPolicy`.
pub(crate) static SUCCESS_POLICY: Message = Message {
    name: "io.k8s.api.batch.v1.SuccessPolicy",
    fields: &[Field::new("rules", 1, Type::List(&Type::Message(&SUCCESS_POLICY_RULE)))
        .always()
        .required()],
    atomic: false,
};

/// `io.k8s.api.batch.v1.SuccessPolicyRule`.
pub(crate) static SUCCESS_POLICY_RULE: Message = Message {
    name: "io.k8s.api.batch.v1.SuccessPolicyRule",
    fields: &[
        Field::new("succeededCount", 2, Type::Int32),
        Field::new("succeededIndexes", 1, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.batch.v1.UncountedTerminatedPods`.
pub(crate) static UNCOUNTED_TERMINATED_PODS: Message = Message {
    name: "io.k8s.api.batch.v1.UncountedTerminatedPods",
    fields: &[
        Field::new("failed", 2, Type::List(&Type::String))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("succeeded", 1, Type::List(&Type::String))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};
