//! Names that Kubernetes gave a meaning, and our own.

/// The label of every namespace that holds its name.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// The label of a node that holds its host name.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";
/// The label of a node that holds its operating system.
pub const OS_LABEL: &str = "kubernetes.io/os";
/// The label of a node that holds its processor architecture.
pub const ARCH_LABEL: &str = "kubernetes.io/arch";
/// The label of a node that holds its zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// The label of a node that holds its region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// The start of labels of a node that name its roles.
pub const NODE_ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// The older label of a node that names its role.
pub const NODE_ROLE_LABEL: &str = "kubernetes.io/role";
/// The label of an `EndpointSlice` that names its service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";
/// The label of a pod that holds the hash of the template it was made from.
pub const POD_TEMPLATE_HASH_LABEL: &str = "pod-template-hash";
/// The label of a pod that holds the hash of the revision it was made from.
pub const CONTROLLER_REVISION_HASH_LABEL: &str = "controller-revision-hash";

/// The annotation in which client-side apply keeps what was last applied.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The annotation of a pod that names the container meant when none is named.
pub const DEFAULT_CONTAINER_ANNOTATION: &str = "kubectl.kubernetes.io/default-container";
/// The annotation of the bookmark that ends the initial events of a watch.
pub const INITIAL_EVENTS_END_ANNOTATION: &str = "k8s.io/initial-events-end";
/// The annotation of a static pod that holds the hash of its source.
pub const MIRROR_POD_ANNOTATION: &str = "kubernetes.io/config.mirror";
/// The annotation of a token Secret that names its service account.
pub const SERVICE_ACCOUNT_NAME_ANNOTATION: &str = "kubernetes.io/service-account.name";
/// The annotation of a token Secret that holds the uid of its service account.
pub const SERVICE_ACCOUNT_UID_ANNOTATION: &str = "kubernetes.io/service-account.uid";
/// The annotation of a Deployment or ReplicaSet that holds its revision.
pub const DEPLOYMENT_REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// The annotation of a claim that names the node on which its first pod will run.
pub const SELECTED_NODE_ANNOTATION: &str = "volume.kubernetes.io/selected-node";
/// The annotation of a claim or volume whose other half was named by the binder and not by a user.
pub const BOUND_BY_CONTROLLER_ANNOTATION: &str = "pv.kubernetes.io/bound-by-controller";
/// The annotation of a claim that was bound once, and is lost if its volume goes.
pub const BIND_COMPLETED_ANNOTATION: &str = "pv.kubernetes.io/bind-completed";
/// The annotation of a volume that names what made it.
pub const PROVISIONED_BY_ANNOTATION: &str = "pv.kubernetes.io/provisioned-by";
/// The annotation of the storage class of claims that name none.
pub const DEFAULT_STORAGE_CLASS_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";

/// The finalizer in `spec.finalizers` of every namespace.
pub const KUBERNETES_FINALIZER: &str = "kubernetes";
/// The finalizer under which an object waits for its dependents to become orphans.
pub const ORPHAN_FINALIZER: &str = "orphan";
/// The finalizer under which an object waits for its dependents to be deleted.
pub const FOREGROUND_FINALIZER: &str = "foregroundDeletion";

/// The taint of a node that is not ready.
pub const NOT_READY_TAINT: &str = "node.kubernetes.io/not-ready";
/// The taint of a node that cannot be reached.
pub const UNREACHABLE_TAINT: &str = "node.kubernetes.io/unreachable";
/// The taint of a node that is cordoned.
pub const UNSCHEDULABLE_TAINT: &str = "node.kubernetes.io/unschedulable";
/// The taint of a node that runs out of memory.
pub const MEMORY_PRESSURE_TAINT: &str = "node.kubernetes.io/memory-pressure";
/// The taint of a node that runs out of disk.
pub const DISK_PRESSURE_TAINT: &str = "node.kubernetes.io/disk-pressure";
/// The taint of a node that runs out of process ids.
pub const PID_PRESSURE_TAINT: &str = "node.kubernetes.io/pid-pressure";

/// The namespace of those who name none.
pub const DEFAULT_NAMESPACE: &str = "default";
/// The namespace of the system's own objects.
pub const SYSTEM_NAMESPACE: &str = "kube-system";
/// The namespace that everybody may read.
pub const PUBLIC_NAMESPACE: &str = "kube-public";
/// The namespace of the nodes' leases.
pub const NODE_LEASE_NAMESPACE: &str = "kube-node-lease";
/// The service account of pods that name none.
pub const DEFAULT_SERVICE_ACCOUNT: &str = "default";
/// The ConfigMap in every namespace that holds the certificate of the cluster's authority.
pub const ROOT_CA_CONFIG_MAP: &str = "kube-root-ca.crt";
/// The scheduler of pods that name none.
pub const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// The domain of our own labels, annotations and taints.
pub const OUR_DOMAIN: &str = "wk.dev";
/// The annotation of a pod that says whether an instance serves one request or many:
/// `request` (default) or `reuse`.
pub const WASM_INSTANCE_ANNOTATION: &str = "wasm.wk.dev/instance";
/// What makes volumes of folders on the nodes.
pub const LOCAL_PATH_PROVISIONER: &str = "wk.dev/local-path";
/// The annotation of a node that names the folder in which it keeps volumes of
/// [`LOCAL_PATH_PROVISIONER`].
pub const LOCAL_PATH_FOLDER_ANNOTATION: &str = "wk.dev/local-path-folder";
/// The annotation of a volume of [`LOCAL_PATH_PROVISIONER`] whose folder its node has made.
pub const LOCAL_PATH_MADE_ANNOTATION: &str = "wk.dev/local-path-made";
/// The finalizer under which a volume of [`LOCAL_PATH_PROVISIONER`] waits until its node has removed
/// its folder.
pub const LOCAL_PATH_FINALIZER: &str = "wk.dev/local-path";
