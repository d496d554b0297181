//! The messages of `io.k8s.api.flowcontrol.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration`.
pub(crate) static EXEMPT_PRIORITY_LEVEL_CONFIGURATION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration",
    fields: &[
        Field::new("lendablePercent", 2, Type::Int32),
        Field::new("nominalConcurrencyShares", 1, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod`.
pub(crate) static FLOW_DISTINGUISHER_METHOD: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod",
    fields: &[Field::new("type", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowSchema`.
pub(crate) static FLOW_SCHEMA: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowSchema",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&FLOW_SCHEMA_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&FLOW_SCHEMA_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowSchemaCondition`.
pub(crate) static FLOW_SCHEMA_CONDITION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowSchemaCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).omit_empty(),
        Field::new("type", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowSchemaList`.
pub(crate) static FLOW_SCHEMA_LIST: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowSchemaList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&FLOW_SCHEMA))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowSchemaSpec`.
pub(crate) static FLOW_SCHEMA_SPEC: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowSchemaSpec",
    fields: &[
        Field::new("distinguisherMethod", 3, Type::Message(&FLOW_DISTINGUISHER_METHOD)),
        Field::new("matchingPrecedence", 2, Type::Int32).always(),
        Field::new(
            "priorityLevelConfiguration",
            1,
            Type::Message(&PRIORITY_LEVEL_CONFIGURATION_REFERENCE),
        )
        .always()
        .required(),
        Field::new("rules", 4, Type::List(&Type::Message(&POLICY_RULES_WITH_SUBJECTS)))
            .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.FlowSchemaStatus`.
pub(crate) static FLOW_SCHEMA_STATUS: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.FlowSchemaStatus",
    fields: &[Field::new("conditions", 1, Type::List(&Type::Message(&FLOW_SCHEMA_CONDITION)))
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("type"),
            list: ListType::Map(&["type"]),
            ..MergeRule::PLAIN
        })],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.GroupSubject`.
pub(crate) static GROUP_SUBJECT: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.GroupSubject",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.LimitResponse`.
pub(crate) static LIMIT_RESPONSE: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.LimitResponse",
    fields: &[
        Field::new("queuing", 2, Type::Message(&QUEUING_CONFIGURATION)),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration`.
pub(crate) static LIMITED_PRIORITY_LEVEL_CONFIGURATION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration",
    fields: &[
        Field::new("borrowingLimitPercent", 4, Type::Int32),
        Field::new("lendablePercent", 3, Type::Int32),
        Field::new("limitResponse", 2, Type::Message(&LIMIT_RESPONSE)).omit_empty(),
        Field::new("nominalConcurrencyShares", 1, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.NonResourcePolicyRule`.
pub(crate) static NON_RESOURCE_POLICY_RULE: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.NonResourcePolicyRule",
    fields: &[
        Field::new("nonResourceURLs", 6, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("verbs", 1, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects`.
pub(crate) static POLICY_RULES_WITH_SUBJECTS: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects",
    fields: &[
        Field::new("nonResourceRules", 3, Type::List(&Type::Message(&NON_RESOURCE_POLICY_RULE)))
            .omit_empty(),
        Field::new("resourceRules", 2, Type::List(&Type::Message(&RESOURCE_POLICY_RULE)))
            .omit_empty(),
        Field::new("subjects", 1, Type::List(&Type::Message(&SUBJECT))).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&PRIORITY_LEVEL_CONFIGURATION_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&PRIORITY_LEVEL_CONFIGURATION_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationCondition`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION_CONDITION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time).omit_empty(),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("reason", 4, Type::String).omit_empty(),
        Field::new("status", 2, Type::String).omit_empty(),
        Field::new("type", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationList`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION_LIST: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&PRIORITY_LEVEL_CONFIGURATION)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION_REFERENCE: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION_SPEC: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec",
    fields: &[
        Field::new("exempt", 3, Type::Message(&EXEMPT_PRIORITY_LEVEL_CONFIGURATION)),
        Field::new("limited", 2, Type::Message(&LIMITED_PRIORITY_LEVEL_CONFIGURATION)),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus`.
pub(crate) static PRIORITY_LEVEL_CONFIGURATION_STATUS: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus",
    fields: &[Field::new(
        "conditions",
        1,
        Type::List(&Type::Message(&PRIORITY_LEVEL_CONFIGURATION_CONDITION)),
    )
    .omit_empty()
    .merge(&MergeRule {
        patch: PatchStrategy::Merge("type"),
        list: ListType::Map(&["type"]),
        ..MergeRule::PLAIN
    })],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.QueuingConfiguration`.
pub(crate) static QUEUING_CONFIGURATION: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.QueuingConfiguration",
    fields: &[
        Field::new("handSize", 2, Type::Int32).always(),
        Field::new("queueLengthLimit", 3, Type::Int32).always(),
        Field::new("queues", 1, Type::Int32).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.ResourcePolicyRule`.
pub(crate) static RESOURCE_POLICY_RULE: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.ResourcePolicyRule",
    fields: &[
        Field::new("apiGroups", 2, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("clusterScope", 4, Type::Bool).omit_empty(),
        Field::new("namespaces", 5, Type::List(&Type::String))
            .always()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("resources", 3, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
        Field::new("verbs", 1, Type::List(&Type::String))
            .always()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.ServiceAccountSubject`.
pub(crate) static SERVICE_ACCOUNT_SUBJECT: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.ServiceAccountSubject",
    fields: &[
        Field::new("name", 2, Type::String).always().required(),
        Field::new("namespace", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.Subject`.
pub(crate) static SUBJECT: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.Subject",
    fields: &[
        Field::new("group", 3, Type::Message(&GROUP_SUBJECT)),
        Field::new("kind", 1, Type::String).always().required(),
        Field::new("serviceAccount", 4, Type::Message(&SERVICE_ACCOUNT_SUBJECT)),
        Field::new("user", 2, Type::Message(&USER_SUBJECT)),
    ],
    atomic: false,
};

/// `io.k8s.api.flowcontrol.v1.UserSubject`.
pub(crate) static USER_SUBJECT: Message = Message {
    name: "io.k8s.api.flowcontrol.v1.UserSubject",
    fields: &[Field::new("name", 1, Type::String).always().required()],
    atomic: false,
};
