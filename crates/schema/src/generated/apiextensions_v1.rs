//! The messages of `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, SchemaChoice, Type};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition`.
pub(crate) static CUSTOM_RESOURCE_COLUMN_DEFINITION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition",
    fields: &[
        Field::new("description", 4, Type::String).omit_empty(),
        Field::new("format", 3, Type::String).omit_empty(),
        Field::new("jsonPath", 6, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("priority", 5, Type::Int32).omit_empty(),
        Field::new("type", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion`.
pub(crate) static CUSTOM_RESOURCE_CONVERSION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion",
    fields: &[
        Field::new("strategy", 1, Type::String).always().required(),
        Field::new("webhook", 2, Type::Message(&WEBHOOK_CONVERSION)),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).always().required(),
        Field::new("spec", 2, Type::Message(&CUSTOM_RESOURCE_DEFINITION_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&CUSTOM_RESOURCE_DEFINITION_STATUS)),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_CONDITION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition",
    fields: &[
        Field::new("lastTransitionTime", 3, Type::Time),
        Field::new("message", 5, Type::String).omit_empty(),
        Field::new("observedGeneration", 6, Type::Int64).omit_empty(),
        Field::new("reason", 4, Type::String),
        Field::new("status", 2, Type::String).always().required(),
        Field::new("type", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionList`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_LIST: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CUSTOM_RESOURCE_DEFINITION)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).always(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_NAMES: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames",
    fields: &[
        Field::new("categories", 6, Type::List(&Type::String)).omit_empty(),
        Field::new("kind", 4, Type::String).omit_empty().required(),
        Field::new("listKind", 5, Type::String).omit_empty(),
        Field::new("plural", 1, Type::String).always().required(),
        Field::new("shortNames", 3, Type::List(&Type::String)).omit_empty(),
        Field::new("singular", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_SPEC: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
    fields: &[
        Field::new("conversion", 9, Type::Message(&CUSTOM_RESOURCE_CONVERSION)),
        Field::new("group", 1, Type::String).always().required(),
        Field::new("names", 3, Type::Message(&CUSTOM_RESOURCE_DEFINITION_NAMES))
            .always()
            .required(),
        Field::new("preserveUnknownFields", 10, Type::Bool).omit_empty(),
        Field::new("scope", 4, Type::String).always().required(),
        Field::new("versions", 7, Type::List(&Type::Message(&CUSTOM_RESOURCE_DEFINITION_VERSION)))
            .always()
            .required(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_STATUS: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus",
    fields: &[
        Field::new("acceptedNames", 2, Type::Message(&CUSTOM_RESOURCE_DEFINITION_NAMES)),
        Field::new(
            "conditions",
            1,
            Type::List(&Type::Message(&CUSTOM_RESOURCE_DEFINITION_CONDITION)),
        )
        .omit_empty()
        .merge(&MergeRule { list: ListType::Map(&["type"]), ..MergeRule::PLAIN }),
        Field::new("observedGeneration", 4, Type::Int64).omit_empty(),
        Field::new("storedVersions", 3, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion`.
pub(crate) static CUSTOM_RESOURCE_DEFINITION_VERSION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion",
    fields: &[
        Field::new(
            "additionalPrinterColumns",
            6,
            Type::List(&Type::Message(&CUSTOM_RESOURCE_COLUMN_DEFINITION)),
        )
        .omit_empty(),
        Field::new("deprecated", 7, Type::Bool).omit_empty(),
        Field::new("deprecationWarning", 8, Type::String),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("schema", 4, Type::Message(&CUSTOM_RESOURCE_VALIDATION)),
        Field::new("selectableFields", 9, Type::List(&Type::Message(&SELECTABLE_FIELD)))
            .omit_empty(),
        Field::new("served", 2, Type::Bool).always().required(),
        Field::new("storage", 3, Type::Bool).always().required(),
        Field::new("subresources", 5, Type::Message(&CUSTOM_RESOURCE_SUBRESOURCES)),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScale`.
pub(crate) static CUSTOM_RESOURCE_SUBRESOURCE_SCALE: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScale",
    fields: &[
        Field::new("labelSelectorPath", 3, Type::String),
        Field::new("specReplicasPath", 1, Type::String).always().required(),
        Field::new("statusReplicasPath", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus`.
pub(crate) static CUSTOM_RESOURCE_SUBRESOURCE_STATUS: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus",
    fields: &[],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresources`.
pub(crate) static CUSTOM_RESOURCE_SUBRESOURCES: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresources",
    fields: &[
        Field::new("scale", 2, Type::Message(&CUSTOM_RESOURCE_SUBRESOURCE_SCALE)),
        Field::new("status", 1, Type::Message(&CUSTOM_RESOURCE_SUBRESOURCE_STATUS)),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidation`.
pub(crate) static CUSTOM_RESOURCE_VALIDATION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidation",
    fields: &[Field::new("openAPIV3Schema", 1, Type::Message(&JSON_SCHEMA_PROPS))],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentation`.
pub(crate) static EXTERNAL_DOCUMENTATION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentation",
    fields: &[
        Field::new("description", 1, Type::String).omit_empty(),
        Field::new("url", 2, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps`.
pub(crate) static JSON_SCHEMA_PROPS: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
    fields: &[
        Field::new("$ref", 3, Type::String).omit_empty(),
        Field::new("$schema", 2, Type::String).omit_empty(),
        Field::new("additionalItems", 33, Type::SchemaOr(SchemaChoice::Bool)),
        Field::new("additionalProperties", 30, Type::SchemaOr(SchemaChoice::Bool)),
        Field::new("allOf", 25, Type::List(&Type::Message(&JSON_SCHEMA_PROPS))).omit_empty(),
        Field::new("anyOf", 27, Type::List(&Type::Message(&JSON_SCHEMA_PROPS))).omit_empty(),
        Field::new("default", 8, Type::Any),
        Field::new("definitions", 34, Type::Map(&Type::Message(&JSON_SCHEMA_PROPS))).omit_empty(),
        Field::new("dependencies", 32, Type::Map(&Type::SchemaOr(SchemaChoice::Strings)))
            .omit_empty(),
        Field::new("description", 4, Type::String).omit_empty(),
        Field::new("enum", 20, Type::List(&Type::Any)).omit_empty(),
        Field::new("example", 36, Type::Any),
        Field::new("exclusiveMaximum", 10, Type::Bool).omit_empty(),
        Field::new("exclusiveMinimum", 12, Type::Bool).omit_empty(),
        Field::new("externalDocs", 35, Type::Message(&EXTERNAL_DOCUMENTATION)),
        Field::new("format", 6, Type::String).omit_empty(),
        Field::new("id", 1, Type::String).omit_empty(),
        Field::new("items", 24, Type::SchemaOr(SchemaChoice::Schemas)),
        Field::new("maxItems", 16, Type::Int64),
        Field::new("maxLength", 13, Type::Int64),
        Field::new("maxProperties", 21, Type::Int64),
        Field::new("maximum", 9, Type::Double),
        Field::new("minItems", 17, Type::Int64),
        Field::new("minLength", 14, Type::Int64),
        Field::new("minProperties", 22, Type::Int64),
        Field::new("minimum", 11, Type::Double),
        Field::new("multipleOf", 19, Type::Double),
        Field::new("not", 28, Type::Message(&JSON_SCHEMA_PROPS)),
        Field::new("nullable", 37, Type::Bool).omit_empty(),
        Field::new("oneOf", 26, Type::List(&Type::Message(&JSON_SCHEMA_PROPS))).omit_empty(),
        Field::new("pattern", 15, Type::String).omit_empty(),
        Field::new("patternProperties", 31, Type::Map(&Type::Message(&JSON_SCHEMA_PROPS)))
            .omit_empty(),
        Field::new("properties", 29, Type::Map(&Type::Message(&JSON_SCHEMA_PROPS))).omit_empty(),
        Field::new("required", 23, Type::List(&Type::String)).omit_empty(),
        Field::new("title", 7, Type::String).omit_empty(),
        Field::new("type", 5, Type::String).omit_empty(),
        Field::new("uniqueItems", 18, Type::Bool).omit_empty(),
        Field::new("x-kubernetes-embedded-resource", 39, Type::Bool).omit_empty(),
        Field::new("x-kubernetes-int-or-string", 40, Type::Bool).omit_empty(),
        Field::new("x-kubernetes-list-map-keys", 41, Type::List(&Type::String)).omit_empty(),
        Field::new("x-kubernetes-list-type", 42, Type::String),
        Field::new("x-kubernetes-map-type", 43, Type::String),
        Field::new("x-kubernetes-preserve-unknown-fields", 38, Type::Bool),
        Field::new("x-kubernetes-validations", 44, Type::List(&Type::Message(&VALIDATION_RULE)))
            .omit_empty()
            .merge(&MergeRule {
                patch: PatchStrategy::Merge("rule"),
                list: ListType::Map(&["rule"]),
                ..MergeRule::PLAIN
            }),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableField`.
pub(crate) static SELECTABLE_FIELD: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableField",
    fields: &[Field::new("jsonPath", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference`.
pub(crate) static SERVICE_REFERENCE: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference",
    fields: &[
        Field::new("name", 2, Type::String).always().required(),
        Field::new("namespace", 1, Type::String).always().required(),
        Field::new("path", 3, Type::String),
        Field::new("port", 4, Type::Int32),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule`.
pub(crate) static VALIDATION_RULE: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule",
    fields: &[
        Field::new("fieldPath", 5, Type::String).omit_empty(),
        Field::new("message", 2, Type::String).omit_empty(),
        Field::new("messageExpression", 3, Type::String).omit_empty(),
        Field::new("optionalOldSelf", 6, Type::Bool),
        Field::new("reason", 4, Type::String),
        Field::new("rule", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig`.
pub(crate) static WEBHOOK_CLIENT_CONFIG: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig",
    fields: &[
        Field::new("caBundle", 2, Type::Bytes).omit_empty(),
        Field::new("service", 1, Type::Message(&SERVICE_REFERENCE)),
        Field::new("url", 3, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversion`.
pub(crate) static WEBHOOK_CONVERSION: Message = Message {
    name: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversion",
    fields: &[
        Field::new("clientConfig", 2, Type::Message(&WEBHOOK_CLIENT_CONFIG)),
        Field::new("conversionReviewVersions", 3, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};
