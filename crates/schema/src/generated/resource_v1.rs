//! The messages of `io.k8s.api.resource.v1`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, ListType, MergeRule, Message, PatchStrategy, Type};

/// `io.k8s.api.resource.v1.AllocatedDeviceStatus`.
pub(crate) static ALLOCATED_DEVICE_STATUS: Message = Message {
    name: "io.k8s.api.resource.v1.AllocatedDeviceStatus",
    fields: &[
        Field::new("conditions", 4, Type::List(&Type::Message(&super::meta_v1::CONDITION)))
            .always()
            .merge(&MergeRule { list: ListType::Map(&["type"]), ..MergeRule::PLAIN }),
        Field::new("data", 5, Type::Any),
        Field::new("device", 3, Type::String).always().required(),
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("networkData", 6, Type::Message(&NETWORK_DEVICE_DATA)),
        Field::new("pool", 2, Type::String).always().required(),
        Field::new("shareID", 7, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.AllocationResult`.
pub(crate) static ALLOCATION_RESULT: Message = Message {
    name: "io.k8s.api.resource.v1.AllocationResult",
    fields: &[
        Field::new("allocationTimestamp", 5, Type::Time),
        Field::new("devices", 1, Type::Message(&DEVICE_ALLOCATION_RESULT)).omit_empty(),
        Field::new("nodeSelector", 3, Type::Message(&super::core_v1::NODE_SELECTOR)),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.CELDeviceSelector`.
pub(crate) static CEL_DEVICE_SELECTOR: Message = Message {
    name: "io.k8s.api.resource.v1.CELDeviceSelector",
    fields: &[Field::new("expression", 1, Type::String).always().required()],
    atomic: false,
};

/// `io.k8s.api.resource.v1.CapacityRequestPolicy`.
pub(crate) static CAPACITY_REQUEST_POLICY: Message = Message {
    name: "io.k8s.api.resource.v1.CapacityRequestPolicy",
    fields: &[
        Field::new("default", 1, Type::Quantity),
        Field::new("validRange", 4, Type::Message(&CAPACITY_REQUEST_POLICY_RANGE)),
        Field::new("validValues", 3, Type::List(&Type::Quantity)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.CapacityRequestPolicyRange`.
pub(crate) static CAPACITY_REQUEST_POLICY_RANGE: Message = Message {
    name: "io.k8s.api.resource.v1.CapacityRequestPolicyRange",
    fields: &[
        Field::new("max", 2, Type::Quantity),
        Field::new("min", 1, Type::Quantity).required(),
        Field::new("step", 3, Type::Quantity),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.CapacityRequirements`.
pub(crate) static CAPACITY_REQUIREMENTS: Message = Message {
    name: "io.k8s.api.resource.v1.CapacityRequirements",
    fields: &[Field::new("requests", 1, Type::Map(&Type::Quantity)).omit_empty()],
    atomic: false,
};

/// `io.k8s.api.resource.v1.Counter`.
pub(crate) static COUNTER: Message = Message {
    name: "io.k8s.api.resource.v1.Counter",
    fields: &[Field::new("value", 1, Type::Quantity).always().required()],
    atomic: false,
};

/// `io.k8s.api.resource.v1.CounterSet`.
pub(crate) static COUNTER_SET: Message = Message {
    name: "io.k8s.api.resource.v1.CounterSet",
    fields: &[
        Field::new("counters", 2, Type::Map(&Type::Message(&COUNTER))).omit_empty().required(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.Device`.
pub(crate) static DEVICE: Message = Message {
    name: "io.k8s.api.resource.v1.Device",
    fields: &[
        Field::new("allNodes", 7, Type::Bool),
        Field::new("allowMultipleAllocations", 12, Type::Bool),
        Field::new("attributes", 2, Type::Map(&Type::Message(&DEVICE_ATTRIBUTE))).omit_empty(),
        Field::new("bindingConditions", 10, Type::List(&Type::String)).omit_empty(),
        Field::new("bindingFailureConditions", 11, Type::List(&Type::String)).omit_empty(),
        Field::new("bindsToNode", 9, Type::Bool),
        Field::new("capacity", 3, Type::Map(&Type::Message(&DEVICE_CAPACITY))).omit_empty(),
        Field::new("consumesCounters", 4, Type::List(&Type::Message(&DEVICE_COUNTER_CONSUMPTION)))
            .omit_empty(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new(
            "nodeAllocatableResourceMappings",
            0,
            Type::Map(&Type::Message(&NODE_ALLOCATABLE_RESOURCE_MAPPING)),
        )
        .omit_empty(),
        Field::new("nodeName", 5, Type::String),
        Field::new("nodeSelector", 6, Type::Message(&super::core_v1::NODE_SELECTOR)),
        Field::new("taints", 8, Type::List(&Type::Message(&DEVICE_TAINT))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceAllocationConfiguration`.
pub(crate) static DEVICE_ALLOCATION_CONFIGURATION: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceAllocationConfiguration",
    fields: &[
        Field::new("opaque", 1, Type::Message(&OPAQUE_DEVICE_CONFIGURATION)).via(&[3]),
        Field::new("requests", 2, Type::List(&Type::String)).omit_empty(),
        Field::new("source", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceAllocationResult`.
pub(crate) static DEVICE_ALLOCATION_RESULT: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceAllocationResult",
    fields: &[
        Field::new("config", 2, Type::List(&Type::Message(&DEVICE_ALLOCATION_CONFIGURATION)))
            .omit_empty(),
        Field::new("results", 1, Type::List(&Type::Message(&DEVICE_REQUEST_ALLOCATION_RESULT)))
            .omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceAttribute`.
pub(crate) static DEVICE_ATTRIBUTE: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceAttribute",
    fields: &[
        Field::new("bool", 3, Type::Bool),
        Field::new("bools", 7, Type::List(&Type::Bool)).omit_empty(),
        Field::new("int", 2, Type::Int64),
        Field::new("ints", 6, Type::List(&Type::Int64)).omit_empty(),
        Field::new("string", 4, Type::String),
        Field::new("strings", 8, Type::List(&Type::String)).omit_empty(),
        Field::new("version", 5, Type::String),
        Field::new("versions", 9, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceCapacity`.
pub(crate) static DEVICE_CAPACITY: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceCapacity",
    fields: &[
        Field::new("requestPolicy", 2, Type::Message(&CAPACITY_REQUEST_POLICY)),
        Field::new("value", 1, Type::Quantity).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClaim`.
pub(crate) static DEVICE_CLAIM: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClaim",
    fields: &[
        Field::new("config", 3, Type::List(&Type::Message(&DEVICE_CLAIM_CONFIGURATION)))
            .omit_empty(),
        Field::new("constraints", 2, Type::List(&Type::Message(&DEVICE_CONSTRAINT))).omit_empty(),
        Field::new("requests", 1, Type::List(&Type::Message(&DEVICE_REQUEST))).always(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClaimConfiguration`.
pub(crate) static DEVICE_CLAIM_CONFIGURATION: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClaimConfiguration",
    fields: &[
        Field::new("opaque", 1, Type::Message(&OPAQUE_DEVICE_CONFIGURATION)).via(&[2]),
        Field::new("requests", 1, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClass`.
pub(crate) static DEVICE_CLASS: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClass",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&DEVICE_CLASS_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClassConfiguration`.
pub(crate) static DEVICE_CLASS_CONFIGURATION: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClassConfiguration",
    fields: &[Field::new("opaque", 1, Type::Message(&OPAQUE_DEVICE_CONFIGURATION)).via(&[1])],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClassList`.
pub(crate) static DEVICE_CLASS_LIST: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClassList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&DEVICE_CLASS))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceClassSpec`.
pub(crate) static DEVICE_CLASS_SPEC: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceClassSpec",
    fields: &[
        Field::new("config", 2, Type::List(&Type::Message(&DEVICE_CLASS_CONFIGURATION)))
            .omit_empty(),
        Field::new("extendedResourceName", 4, Type::String),
        Field::new("selectors", 1, Type::List(&Type::Message(&DEVICE_SELECTOR))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceConstraint`.
pub(crate) static DEVICE_CONSTRAINT: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceConstraint",
    fields: &[
        Field::new("distinctAttribute", 3, Type::String),
        Field::new("matchAttribute", 2, Type::String),
        Field::new("requests", 1, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceCounterConsumption`.
pub(crate) static DEVICE_COUNTER_CONSUMPTION: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceCounterConsumption",
    fields: &[
        Field::new("counterSet", 1, Type::String).always().required(),
        Field::new("counters", 2, Type::Map(&Type::Message(&COUNTER))).omit_empty().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceRequest`.
pub(crate) static DEVICE_REQUEST: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceRequest",
    fields: &[
        Field::new("exactly", 2, Type::Message(&EXACT_DEVICE_REQUEST)),
        Field::new("firstAvailable", 3, Type::List(&Type::Message(&DEVICE_SUB_REQUEST)))
            .omit_empty(),
        Field::new("name", 1, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceRequestAllocationResult`.
pub(crate) static DEVICE_REQUEST_ALLOCATION_RESULT: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceRequestAllocationResult",
    fields: &[
        Field::new("adminAccess", 5, Type::Bool),
        Field::new("bindingConditions", 7, Type::List(&Type::String)).omit_empty(),
        Field::new("bindingFailureConditions", 8, Type::List(&Type::String)).omit_empty(),
        Field::new("consumedCapacity", 10, Type::Map(&Type::Quantity)).omit_empty(),
        Field::new("device", 4, Type::String).always().required(),
        Field::new("driver", 2, Type::String).always().required(),
        Field::new("pool", 3, Type::String).always().required(),
        Field::new("request", 1, Type::String).always().required(),
        Field::new("shareID", 9, Type::String),
        Field::new("tolerations", 6, Type::List(&Type::Message(&DEVICE_TOLERATION))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceSelector`.
pub(crate) static DEVICE_SELECTOR: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceSelector",
    fields: &[Field::new("cel", 1, Type::Message(&CEL_DEVICE_SELECTOR))],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceSubRequest`.
pub(crate) static DEVICE_SUB_REQUEST: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceSubRequest",
    fields: &[
        Field::new("allocationMode", 4, Type::String).omit_empty(),
        Field::new("capacity", 7, Type::Message(&CAPACITY_REQUIREMENTS)),
        Field::new("count", 5, Type::Int64).omit_empty(),
        Field::new("deviceClassName", 2, Type::String).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("selectors", 3, Type::List(&Type::Message(&DEVICE_SELECTOR))).omit_empty(),
        Field::new("tolerations", 6, Type::List(&Type::Message(&DEVICE_TOLERATION))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceTaint`.
pub(crate) static DEVICE_TAINT: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceTaint",
    fields: &[
        Field::new("effect", 3, Type::String).always().required(),
        Field::new("key", 1, Type::String).always().required(),
        Field::new("timeAdded", 4, Type::Time),
        Field::new("value", 2, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.DeviceToleration`.
pub(crate) static DEVICE_TOLERATION: Message = Message {
    name: "io.k8s.api.resource.v1.DeviceToleration",
    fields: &[
        Field::new("effect", 4, Type::String).omit_empty(),
        Field::new("key", 1, Type::String).omit_empty(),
        Field::new("operator", 2, Type::String).omit_empty().default("\"Equal\""),
        Field::new("tolerationSeconds", 5, Type::Int64),
        Field::new("value", 3, Type::String).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ExactDeviceRequest`.
pub(crate) static EXACT_DEVICE_REQUEST: Message = Message {
    name: "io.k8s.api.resource.v1.ExactDeviceRequest",
    fields: &[
        Field::new("adminAccess", 5, Type::Bool),
        Field::new("allocationMode", 3, Type::String).omit_empty(),
        Field::new("capacity", 7, Type::Message(&CAPACITY_REQUIREMENTS)),
        Field::new("count", 4, Type::Int64).omit_empty(),
        Field::new("deviceClassName", 1, Type::String).always().required(),
        Field::new("selectors", 2, Type::List(&Type::Message(&DEVICE_SELECTOR))).omit_empty(),
        Field::new("tolerations", 6, Type::List(&Type::Message(&DEVICE_TOLERATION))).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.NetworkDeviceData`.
pub(crate) static NETWORK_DEVICE_DATA: Message = Message {
    name: "io.k8s.api.resource.v1.NetworkDeviceData",
    fields: &[
        Field::new("hardwareAddress", 3, Type::String).omit_empty(),
        Field::new("interfaceName", 1, Type::String).omit_empty(),
        Field::new("ips", 2, Type::List(&Type::String)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.NodeAllocatableResourceMapping`.
pub(crate) static NODE_ALLOCATABLE_RESOURCE_MAPPING: Message = Message {
    name: "io.k8s.api.resource.v1.NodeAllocatableResourceMapping",
    fields: &[
        Field::new("allocationMultiplier", 0, Type::Quantity),
        Field::new("capacityKey", 0, Type::String),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.OpaqueDeviceConfiguration`.
pub(crate) static OPAQUE_DEVICE_CONFIGURATION: Message = Message {
    name: "io.k8s.api.resource.v1.OpaqueDeviceConfiguration",
    fields: &[
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("parameters", 2, Type::Any).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaim`.
pub(crate) static RESOURCE_CLAIM: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaim",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&RESOURCE_CLAIM_SPEC)).always().required(),
        Field::new("status", 3, Type::Message(&RESOURCE_CLAIM_STATUS)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimConsumerReference`.
pub(crate) static RESOURCE_CLAIM_CONSUMER_REFERENCE: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimConsumerReference",
    fields: &[
        Field::new("apiGroup", 1, Type::String).omit_empty(),
        Field::new("name", 4, Type::String).always().required(),
        Field::new("resource", 3, Type::String).always().required(),
        Field::new("uid", 5, Type::String).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimList`.
pub(crate) static RESOURCE_CLAIM_LIST: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&RESOURCE_CLAIM))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimSpec`.
pub(crate) static RESOURCE_CLAIM_SPEC: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimSpec",
    fields: &[Field::new("devices", 1, Type::Message(&DEVICE_CLAIM)).always()],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimStatus`.
pub(crate) static RESOURCE_CLAIM_STATUS: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimStatus",
    fields: &[
        Field::new("allocation", 1, Type::Message(&ALLOCATION_RESULT)),
        Field::new("devices", 4, Type::List(&Type::Message(&ALLOCATED_DEVICE_STATUS)))
            .omit_empty()
            .merge(&MergeRule {
                list: ListType::Map(&["driver", "device", "pool", "shareID"]),
                ..MergeRule::PLAIN
            }),
        Field::new(
            "reservedFor",
            2,
            Type::List(&Type::Message(&RESOURCE_CLAIM_CONSUMER_REFERENCE)),
        )
        .omit_empty()
        .merge(&MergeRule {
            patch: PatchStrategy::Merge("uid"),
            list: ListType::Map(&["uid"]),
            ..MergeRule::PLAIN
        }),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimTemplate`.
pub(crate) static RESOURCE_CLAIM_TEMPLATE: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimTemplate",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&RESOURCE_CLAIM_TEMPLATE_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimTemplateList`.
pub(crate) static RESOURCE_CLAIM_TEMPLATE_LIST: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimTemplateList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&RESOURCE_CLAIM_TEMPLATE)))
            .always()
            .required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceClaimTemplateSpec`.
pub(crate) static RESOURCE_CLAIM_TEMPLATE_SPEC: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceClaimTemplateSpec",
    fields: &[
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&RESOURCE_CLAIM_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourcePool`.
pub(crate) static RESOURCE_POOL: Message = Message {
    name: "io.k8s.api.resource.v1.ResourcePool",
    fields: &[
        Field::new("generation", 2, Type::Int64).always().required(),
        Field::new("name", 1, Type::String).always().required(),
        Field::new("resourceSliceCount", 3, Type::Int64).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceSlice`.
pub(crate) static RESOURCE_SLICE: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceSlice",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::OBJECT_META)).omit_empty(),
        Field::new("spec", 2, Type::Message(&RESOURCE_SLICE_SPEC)).always().required(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceSliceList`.
pub(crate) static RESOURCE_SLICE_LIST: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceSliceList",
    fields: &[
        Field::new("apiVersion", 0, Type::String).omit_empty(),
        Field::new("items", 2, Type::List(&Type::Message(&RESOURCE_SLICE))).always().required(),
        Field::new("kind", 0, Type::String).omit_empty(),
        Field::new("metadata", 1, Type::Message(&super::meta_v1::LIST_META)).omit_empty(),
    ],
    atomic: false,
};

/// `io.k8s.api.resource.v1.ResourceSliceSpec`.
pub(crate) static RESOURCE_SLICE_SPEC: Message = Message {
    name: "io.k8s.api.resource.v1.ResourceSliceSpec",
    fields: &[
        Field::new("allNodes", 5, Type::Bool),
        Field::new("devices", 6, Type::List(&Type::Message(&DEVICE))).omit_empty(),
        Field::new("driver", 1, Type::String).always().required(),
        Field::new("nodeName", 3, Type::String),
        Field::new("nodeSelector", 4, Type::Message(&super::core_v1::NODE_SELECTOR)),
        Field::new("perDeviceNodeSelection", 7, Type::Bool),
        Field::new("pool", 2, Type::Message(&RESOURCE_POOL)).always().required(),
        Field::new("sharedCounters", 8, Type::List(&Type::Message(&COUNTER_SET))).omit_empty(),
    ],
    atomic: false,
};
