//! The messages of `io.k8s.api.admissionregistration.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.admissionregistration.v1.ApplyConfiguration`.
pub(crate) static APPLY_CONFIGURATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ApplyConfiguration",
    fields: &[Field::new("expression", 1, Type::String).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.AuditAnnotation`.
pub(crate) static AUDIT_ANNOTATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.AuditAnnotation",
    fields: &[
        Field::new("key", 1, Type::String).always().required(),
        Field::new("valueExpression", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ExpressionWarning`.
pub(crate) static EXPRESSION_WARNING: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ExpressionWarning",
    fields: &[
        Field::new("fieldRef", 2, Type::String).always().required(),
        Field::new("warning", 3, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.JSONPatch`.
pub(crate) static JSON_PATCH: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.JSONPatch",
    fields: &[Field::new("expression", 1, Type::String).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MatchCondition`.
pub(crate) static MATCH_CONDITION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MatchCondition",
    fields: &[
        Field::new("expression", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MatchResources`.
pub(crate) static MATCH_RESOURCES: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MatchResources",
    fields: &[
        Field::new(
            "excludeResourceRules",
            4,
            Type::List(&Type::Message(&NAMED_RULE_WITH_OPERATIONS)),
        )
        .omit_empty(),
        Field::new("matchPolicy", 7, Type::String),
        Field::new("namespaceSelector", 1, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("objectSelector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("resourceRules", 3, Type::List(&Type::Message(&NAMED_RULE_WITH_OPERATIONS)))
            .omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy`.
pub(crate) static MUTATING_ADMISSION_POLICY: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&MUTATING_ADMISSION_POLICY_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding`.
pub(crate) static MUTATING_ADMISSION_POLICY_BINDING: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&MUTATING_ADMISSION_POLICY_BINDING_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingList`.
pub(crate) static MUTATING_ADMISSION_POLICY_BINDING_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&MUTATING_ADMISSION_POLICY_BINDING)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec`.
pub(crate) static MUTATING_ADMISSION_POLICY_BINDING_SPEC: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec",
    fields: &[
        Field::new("matchResources", 3, Type::Message(&MATCH_RESOURCES)),
        Field::new("paramRef", 2, Type::Message(&PARAM_REF)),
        Field::new("policyName", 1, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyList`.
pub(crate) static MUTATING_ADMISSION_POLICY_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&MUTATING_ADMISSION_POLICY)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec`.
pub(crate) static MUTATING_ADMISSION_POLICY_SPEC: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec",
    fields: &[
        Field::new("failurePolicy", 5, Type::String),
        Field::new("matchConditions", 6, Type::List(&Type::Message(&MATCH_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("matchConstraints", 2, Type::Message(&MATCH_RESOURCES)),
        Field::new("mutations", 4, Type::List(&Type::Message(&MUTATION))).omit_empty(),
        Field::new("paramKind", 1, Type::Message(&PARAM_KIND)),
        Field::new("reinvocationPolicy", 7, Type::String).omit_empty(),
        Field::new("variables", 3, Type::List(&Type::Message(&VARIABLE))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingWebhook`.
pub(crate) static MUTATING_WEBHOOK: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingWebhook",
    fields: &[
        Field::new("admissionReviewVersions", 8, Type::List(&Type::String)).always().required(),
        Field::new("clientConfig", 2, Type::Message(&WEBHOOK_CLIENT_CONFIG)).always().required(),
        Field::new("failurePolicy", 4, Type::String),
        Field::new("matchConditions", 12, Type::List(&Type::Message(&MATCH_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("matchPolicy", 9, Type::String),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("namespaceSelector", 5, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("objectSelector", 11, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("reinvocationPolicy", 10, Type::String),
        Field::new("rules", 3, Type::List(&Type::Message(&RULE_WITH_OPERATIONS))).omit_empty(),
        Field::new("sideEffects", 6, Type::String).required(),
        Field::new("timeoutSeconds", 7, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration`.
pub(crate) static MUTATING_WEBHOOK_CONFIGURATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("webhooks", 2, Type::List(&Type::Message(&MUTATING_WEBHOOK)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.MutatingWebhookConfigurationList`.
pub(crate) static MUTATING_WEBHOOK_CONFIGURATION_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.MutatingWebhookConfigurationList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&MUTATING_WEBHOOK_CONFIGURATION)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.Mutation`.
pub(crate) static MUTATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.Mutation",
    fields: &[
        Field::new("applyConfiguration", 3, Type::Message(&APPLY_CONFIGURATION)),
        Field::new("jsonPatch", 4, Type::Message(&JSON_PATCH)),
        Field::new("patchType", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.NamedRuleWithOperations`.
pub(crate) static NAMED_RULE_WITH_OPERATIONS: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.NamedRuleWithOperations",
    fields: &[
        Field::new("apiGroups", 1, Type::List(&Type::String)).via(&[2, 2]).omit_empty(),
        Field::new("apiVersions", 2, Type::List(&Type::String)).via(&[2, 2]).omit_empty(),
        Field::new("operations", 1, Type::List(&Type::String)).via(&[2]).omit_empty(),
        Field::new("resourceNames", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("resources", 3, Type::List(&Type::String)).via(&[2, 2]).omit_empty(),
        Field::new("scope", 4, Type::String).via(&[2, 2]),
    ],
    atomic: true,
};

/// `io.k8s.api.admissionregistration.v1.ParamKind`.
pub(crate) static PARAM_KIND: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ParamKind",
    fields: &[
        Field::new("apiVersion", 1, Type::String).omit_empty(),
        Field::new("kind", 2, Type::String).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.admissionregistration.v1.ParamRef`.
pub(crate) static PARAM_REF: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ParamRef",
    fields: &[
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("namespace", 2, Type::String).omit_empty(),
        Field::new("parameterNotFoundAction", 4, Type::String),
        Field::new("selector", 3, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
    ],
    atomic: true,
};

/// `io.k8s.api.admissionregistration.v1.RuleWithOperations`.
pub(crate) static RULE_WITH_OPERATIONS: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.RuleWithOperations",
    fields: &[
        Field::new("apiGroups", 1, Type::List(&Type::String)).via(&[2]).omit_empty(),
        Field::new("apiVersions", 2, Type::List(&Type::String)).via(&[2]).omit_empty(),
        Field::new("operations", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("resources", 3, Type::List(&Type::String)).via(&[2]).omit_empty(),
        Field::new("scope", 4, Type::String).via(&[2]),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ServiceReference`.
pub(crate) static SERVICE_REFERENCE: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ServiceReference",
    fields: &[
        Field::new("name", 2, Type::String).always().required(),
        Field::new("namespace", 1, Type::String).always().required(),
        Field::new("path", 3, Type::String),
        Field::new("port", 4, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.TypeChecking`.
pub(crate) static TYPE_CHECKING: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.TypeChecking",
    fields: &[Field::new("expressionWarnings", 1, Type::List(&Type::Message(&EXPRESSION_WARNING)))
        .omit_empty()],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy`.
pub(crate) static VALIDATING_ADMISSION_POLICY: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&VALIDATING_ADMISSION_POLICY_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&VALIDATING_ADMISSION_POLICY_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding`.
pub(crate) static VALIDATING_ADMISSION_POLICY_BINDING: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&VALIDATING_ADMISSION_POLICY_BINDING_SPEC))
            .omit_empty()
            .required(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingList`.
pub(crate) static VALIDATING_ADMISSION_POLICY_BINDING_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&VALIDATING_ADMISSION_POLICY_BINDING)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec`.
pub(crate) static VALIDATING_ADMISSION_POLICY_BINDING_SPEC: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec",
    fields: &[
        Field::new("matchResources", 3, Type::Message(&MATCH_RESOURCES)),
        Field::new("paramRef", 2, Type::Message(&PARAM_REF)),
        Field::new("policyName", 1, Type::String).omit_empty().required(),
        Field::new("validationActions", 4, Type::List(&Type::String))
            .omit_empty()
            .required()
            .merge(&MergeRule { list: ListType::Set, ..MergeRule::PLAIN }),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyList`.
pub(crate) static VALIDATING_ADMISSION_POLICY_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&VALIDATING_ADMISSION_POLICY)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec`.
pub(crate) static VALIDATING_ADMISSION_POLICY_SPEC: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec",
    fields: &[
        Field::new("auditAnnotations", 5, Type::List(&Type::Message(&AUDIT_ANNOTATION)))
            .omit_empty(),
        Field::new("failurePolicy", 4, Type::String),
        Field::new("matchConditions", 6, Type::List(&Type::Message(&MATCH_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("matchConstraints", 2, Type::Message(&MATCH_RESOURCES)),
        Field::new("paramKind", 1, Type::Message(&PARAM_KIND)),
        Field::new("validations", 3, Type::List(&Type::Message(&VALIDATION))).omit_empty(),
        Field::new("variables", 7, Type::List(&Type::Message(&VARIABLE))).omit_empty().merge(
            &MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            },
        ),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyStatus`.
pub(crate) static VALIDATING_ADMISSION_POLICY_STATUS: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyStatus",
    fields: &[
        Field::new("conditions", 3, Type::List(&Type::Message(&super::meta_v1::CONDITION)))
            .omit_empty()
            .merge(&MergeRule { list: ListType::Map(&["type"]), ..MergeRule::PLAIN }),
        Field::new("observedGeneration", 1, Type::Int64).omit_empty(),
        Field::new("typeChecking", 2, Type::Message(&TYPE_CHECKING)),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingWebhook`.
pub(crate) static VALIDATING_WEBHOOK: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingWebhook",
    fields: &[
        Field::new("admissionReviewVersions", 8, Type::List(&Type::String)).always().required(),
        Field::new("clientConfig", 2, Type::Message(&WEBHOOK_CLIENT_CONFIG)).always().required(),
        Field::new("failurePolicy", 4, Type::String),
        Field::new("matchConditions", 11, Type::List(&Type::Message(&MATCH_CONDITION)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
        Field::new("matchPolicy", 9, Type::String),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("namespaceSelector", 5, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("objectSelector", 10, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("rules", 3, Type::List(&Type::Message(&RULE_WITH_OPERATIONS))).omit_empty(),
        Field::new("sideEffects", 6, Type::String).required(),
        Field::new("timeoutSeconds", 7, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration`.
pub(crate) static VALIDATING_WEBHOOK_CONFIGURATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("webhooks", 2, Type::List(&Type::Message(&VALIDATING_WEBHOOK)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("name"),
                list: ListType::Map(&["name"]),
                ..MergeRule::PLAIN
            }),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.ValidatingWebhookConfigurationList`.
pub(crate) static VALIDATING_WEBHOOK_CONFIGURATION_LIST: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfigurationList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&VALIDATING_WEBHOOK_CONFIGURATION)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.Validation`.
pub(crate) static VALIDATION: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.Validation",
    fields: &[
        Field::new("expression", 1, Type::String).always().required(),
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("messageExpression", 4, Type::String).omit_empty(),
        Field::new("reason", 3, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.admissionregistration.v1.Variable`.
pub(crate) static VARIABLE: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.Variable",
    fields: &[
        Field::new("expression", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.admissionregistration.v1.WebhookClientConfig`.
pub(crate) static WEBHOOK_CLIENT_CONFIG: Message = Message {
    name: "io.k8s.api.admissionregistration.v1.WebhookClientConfig",
    fields: &[
        Field::new("caBundle", 2, Type::Bytes).omit_empty(),
        Field::new("service", 1, Type::Message(&SERVICE_REFERENCE)),
        Field::new("url", 3, Type::String),
    ],
    atomic: false,
};
