//! The messages of `io.k8s.api.networking.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.networking.v1.HTTPIngressPath`.
pub(crate) static HTTP_INGRESS_PATH: Message = Message {
    name: "io.k8s.api.networking.v1.HTTPIngressPath",
    fields: &[
        Field::new("backend", 2, Type::Message(&INGRESS_BACKEND)).always().required(),
        Field::new("path", 1, Type::String).omit_empty(),
        Field::new("pathType", 3, Type::String).required(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.HTTPIngressRuleValue`.
pub(crate) static HTTP_INGRESS_RULE_VALUE: Message = Message {
    name: "io.k8s.api.networking.v1.HTTPIngressRuleValue",
    fields: &[Field::new("paths", 1, Type::List(&Type::Message(&HTTP_INGRESS_PATH)))
        .always()
        .required()],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IPAddress`.
pub(crate) static IP_ADDRESS: Message = Message {
    name: "io.k8s.api.networking.v1.IPAddress",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&IP_ADDRESS_SPEC)).omit_empty().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IPAddressList`.
pub(crate) static IP_ADDRESS_LIST: Message = Message {
    name: "io.k8s.api.networking.v1.IPAddressList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&IP_ADDRESS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IPAddressSpec`.
pub(crate) static IP_ADDRESS_SPEC: Message = Message {
    name: "io.k8s.api.networking.v1.IPAddressSpec",
    fields: &[Field::new("parentRef", 1, Type::Message(&PARENT_REFERENCE)).required()],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IPBlock`.
pub(crate) static IP_BLOCK: Message = Message {
    name: "io.k8s.api.networking.v1.IPBlock",
    fields: &[
        Field::new("cidr", 1, Type::String).always().required(),
        Field::new("except", 2, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.Ingress`.
pub(crate) static INGRESS: Message = Message {
    name: "io.k8s.api.networking.v1.Ingress",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&INGRESS_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&INGRESS_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressBackend`.
pub(crate) static INGRESS_BACKEND: Message = Message {
    name: "io.k8s.api.networking.v1.IngressBackend",
    fields: &[
        Field::new("resource", 3, Type::Message(&super::core_v1::TYPED_LOCAL_OBJECT_REFERENCE)),
        Field::new("service", 4, Type::Message(&INGRESS_SERVICE_BACKEND)),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressClass`.
pub(crate) static INGRESS_CLASS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressClass",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&INGRESS_CLASS_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressClassList`.
pub(crate) static INGRESS_CLASS_LIST: Message = Message {
    name: "io.k8s.api.networking.v1.IngressClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&INGRESS_CLASS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressClassParametersReference`.
pub(crate) static INGRESS_CLASS_PARAMETERS_REFERENCE: Message = Message {
    name: "io.k8s.api.networking.v1.IngressClassParametersReference",
    fields: &[
        Field::new("apiGroup", 1, Type::String),
        Field::new("kind", 2, Type::String).always().required(),
        Field::new("name", 3, Type::String).always().required(),
        Field::new("namespace", 5, Type::String),
        Field::new("scope", 4, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressClassSpec`.
pub(crate) static INGRESS_CLASS_SPEC: Message = Message {
    name: "io.k8s.api.networking.v1.IngressClassSpec",
    fields: &[
        Field::new("controller", 1, Type::String).omit_empty(),
        Field::new("parameters", 2, Type::Message(&INGRESS_CLASS_PARAMETERS_REFERENCE)),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressList`.
pub(crate) static INGRESS_LIST: Message = Message {
    name: "io.k8s.api.networking.v1.IngressList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&INGRESS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressLoadBalancerIngress`.
pub(crate) static INGRESS_LOAD_BALANCER_INGRESS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressLoadBalancerIngress",
    fields: &[
        Field::new("hostname", 2, Type::String).omit_empty(),
        Field::new("ip", 1, Type::String).omit_empty(),
        Field::new("ports", 4, Type::List(&Type::Message(&INGRESS_PORT_STATUS))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressLoadBalancerStatus`.
pub(crate) static INGRESS_LOAD_BALANCER_STATUS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressLoadBalancerStatus",
    fields: &[Field::new("ingress", 1, Type::List(&Type::Message(&INGRESS_LOAD_BALANCER_INGRESS)))
        .omit_empty()],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressPortStatus`.
pub(crate) static INGRESS_PORT_STATUS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressPortStatus",
    fields: &[
        Field::new("error", 3, Type::String),
        Field::new("port", 1, Type::Int32).always().required(),
        Field::new("protocol", 2, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressRule`.
pub(crate) static INGRESS_RULE: Message = Message {
    name: "io.k8s.api.networking.v1.IngressRule",
    fields: &[
        Field::new("host", 1, Type::String).omit_empty(),
        Field::new("http", 1, Type::Message(&HTTP_INGRESS_RULE_VALUE)).via(&[2]),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressServiceBackend`.
pub(crate) static INGRESS_SERVICE_BACKEND: Message = Message {
    name: "io.k8s.api.networking.v1.IngressServiceBackend",
    fields: &[
        Field::new("name", 1, Type::String).always().required(),
        Field::new("port", 2, Type::Message(&SERVICE_BACKEND_PORT)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressSpec`.
pub(crate) static INGRESS_SPEC: Message = Message {
    name: "io.k8s.api.networking.v1.IngressSpec",
    fields: &[
        Field::new("defaultBackend", 1, Type::Message(&INGRESS_BACKEND)),
        Field::new("ingressClassName", 4, Type::String),
        Field::new("rules", 3, Type::List(&Type::Message(&INGRESS_RULE))).omit_empty(),
        Field::new("tls", 2, Type::List(&Type::Message(&INGRESS_TLS))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressStatus`.
pub(crate) static INGRESS_STATUS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressStatus",
    fields: &[
        Field::new("loadBalancer", 1, Type::Message(&INGRESS_LOAD_BALANCER_STATUS)).omit_empty()
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.IngressTLS`.
pub(crate) static INGRESS_TLS: Message = Message {
    name: "io.k8s.api.networking.v1.IngressTLS",
    fields: &[
        Field::new("hosts", 1, Type::List(&Type::String)).omit_empty(),
        Field::new("secretName", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicy`.
pub(crate) static NETWORK_POLICY: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicy",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&NETWORK_POLICY_SPEC)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicyEgressRule`.
pub(crate) static NETWORK_POLICY_EGRESS_RULE: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicyEgressRule",
    fields: &[
        Field::new("ports", 1, Type::List(&Type::Message(&NETWORK_POLICY_PORT))).omit_empty(),
        Field::new("to", 2, Type::List(&Type::Message(&NETWORK_POLICY_PEER))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicyIngressRule`.
pub(crate) static NETWORK_POLICY_INGRESS_RULE: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicyIngressRule",
    fields: &[
        Field::new("from", 2, Type::List(&Type::Message(&NETWORK_POLICY_PEER))).omit_empty(),
        Field::new("ports", 1, Type::List(&Type::Message(&NETWORK_POLICY_PORT))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicyList`.
pub(crate) static NETWORK_POLICY_LIST: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicyList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&NETWORK_POLICY))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicyPeer`.
pub(crate) static NETWORK_POLICY_PEER: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicyPeer",
    fields: &[
        Field::new("ipBlock", 3, Type::Message(&IP_BLOCK)),
        Field::new("namespaceSelector", 2, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
        Field::new("podSelector", 1, Type::Message(&super::meta_v1::LABEL_SELECTOR)),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicyPort`.
pub(crate) static NETWORK_POLICY_PORT: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicyPort",
    fields: &[
        Field::new("endPort", 3, Type::Int32),
        Field::new("port", 2, Type::IntOrString),
        Field::new("protocol", 1, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.NetworkPolicySpec`.
pub(crate) static NETWORK_POLICY_SPEC: Message = Message {
    name: "io.k8s.api.networking.v1.NetworkPolicySpec",
    fields: &[
        Field::new("egress", 3, Type::List(&Type::Message(&NETWORK_POLICY_EGRESS_RULE)))
            .omit_empty(),
        Field::new("ingress", 2, Type::List(&Type::Message(&NETWORK_POLICY_INGRESS_RULE)))
            .omit_empty(),
        Field::new("podSelector", 1, Type::Message(&super::meta_v1::LABEL_SELECTOR)).always(),
        Field::new("policyTypes", 4, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.ParentReference`.
pub(crate) static PARENT_REFERENCE: Message = Message {
    name: "io.k8s.api.networking.v1.ParentReference",
    fields: &[
        Field::new("group", 1, Type::String).omit_empty(),
        Field::new("name", 4, Type::String).omit_empty().required(),
        Field::new("namespace", 3, Type::String).omit_empty(),
        Field::new("resource", 2, Type::String).omit_empty().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.ServiceBackendPort`.
pub(crate) static SERVICE_BACKEND_PORT: Message = Message {
    name: "io.k8s.api.networking.v1.ServiceBackendPort",
    fields: &[
        Field::new("name", 1, Type::String).omit_empty(),
        Field::new("number", 2, Type::Int32).omit_empty(),
    ],
    atomic: true,
};

/// `io.k8s.api.networking.v1.ServiceCIDR`.
pub(crate) static SERVICE_CIDR: Message = Message {
    name: "io.k8s.api.networking.v1.ServiceCIDR",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&SERVICE_CIDR_SPEC)).omit_empty(),
        Field::new("status", 3, Type::Message(&SERVICE_CIDR_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.ServiceCIDRList`.
pub(crate) static SERVICE_CIDR_LIST: Message = Message {
    name: "io.k8s.api.networking.v1.ServiceCIDRList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&SERVICE_CIDR))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.networking.v1.ServiceCIDRSpec`.
pub(crate) static SERVICE_CIDR_SPEC: Message = Message {
    name: "io.k8s.api.networking.v1.ServiceCIDRSpec",
    fields: &[Field::new("cidrs", 1, Type::List(&Type::String)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.networking.v1.ServiceCIDRStatus`.
pub(crate) static SERVICE_CIDR_STATUS: Message = Message {
    name: "io.k8s.api.networking.v1.ServiceCIDRStatus",
    fields: &[Field::new("conditions", 1, Type::List(&Type::Message(&super::meta_v1::CONDITION)))
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("type"),
            list: ListType::Map(&["type"]),
            ..MergeRule::PLAIN
        })],
    atomic: false,
};
