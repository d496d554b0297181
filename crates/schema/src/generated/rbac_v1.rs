//! The messages of `io.k8s.api.rbac.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.api.rbac.v1.AggregationRule`.
pub(crate) static AGGREGATION_RULE: Message = Message {
    name: "io.k8s.api.rbac.v1.AggregationRule",
    fields: &[Field::new(
        "clusterRoleSelectors",
        1,
        Type::List(&Type::Message(&super::meta_v1::LABEL_SELECTOR)),
    )
    .omit_empty()],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.ClusterRole`.
pub(crate) static CLUSTER_ROLE: Message = Message {
    name: "io.k8s.api.rbac.v1.ClusterRole",
    fields: &[
        Field::new("aggregationRule", 3, Type::Message(&AGGREGATION_RULE)),
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("rules", 2, Type::List(&Type::Message(&POLICY_RULE))).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.ClusterRoleBinding`.
pub(crate) static CLUSTER_ROLE_BINDING: Message = Message {
    name: "io.k8s.api.rbac.v1.ClusterRoleBinding",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("roleRef", 3, Type::Message(&ROLE_REF)).always().required(),
        Field::new("subjects", 2, Type::List(&Type::Message(&SUBJECT))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.ClusterRoleBindingList`.
pub(crate) static CLUSTER_ROLE_BINDING_LIST: Message = Message {
    name: "io.k8s.api.rbac.v1.ClusterRoleBindingList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CLUSTER_ROLE_BINDING)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.ClusterRoleList`.
pub(crate) static CLUSTER_ROLE_LIST: Message = Message {
    name: "io.k8s.api.rbac.v1.ClusterRoleList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&CLUSTER_ROLE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.PolicyRule`.
pub(crate) static POLICY_RULE: Message = Message {
    name: "io.k8s.api.rbac.v1.PolicyRule",
    fields: &[
        Field::new("apiGroups", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("nonResourceURLs", 5, Type::List(&Type::String)).omit_empty(),
        Field::new("resourceNames", 4, Type::List(&Type::String)).omit_empty(),
        Field::new("resources", 3, Type::List(&Type::String)).omit_empty(),
        Field::new("verbs", 1, Type::List(&Type::String)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.Role`.
pub(crate) static ROLE: Message = Message {
    name: "io.k8s.api.rbac.v1.Role",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("rules", 2, Type::List(&Type::Message(&POLICY_RULE))).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.RoleBinding`.
pub(crate) static ROLE_BINDING: Message = Message {
    name: "io.k8s.api.rbac.v1.RoleBinding",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("roleRef", 3, Type::Message(&ROLE_REF)).always().required(),
        Field::new("subjects", 2, Type::List(&Type::Message(&SUBJECT))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.RoleBindingList`.
pub(crate) static ROLE_BINDING_LIST: Message = Message {
    name: "io.k8s.api.rbac.v1.RoleBindingList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&ROLE_BINDING))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.RoleList`.
pub(crate) static ROLE_LIST: Message = Message {
    name: "io.k8s.api.rbac.v1.RoleList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&ROLE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.rbac.v1.RoleRef`.
pub(crate) static ROLE_REF: Message = Message {
    name: "io.k8s.api.rbac.v1.RoleRef",
    fields: &[
        Field::new("apiGroup", 1, Type::String).always(),
        Field::new("kind", 2, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
    ],
    atomic: true,
};

/// `io.k8s.api.rbac.v1.Subject`.
pub(crate) static SUBJECT: Message = Message {
    name: "io.k8s.api.rbac.v1.Subject",
    fields: &[
        Field::new("apiGroup", 2, Type::String).omit_empty(),
        Field::new("kind", 1, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
        Field::new("namespace", 4, Type::String).omit_empty(),
    ],
    atomic: true,
};
