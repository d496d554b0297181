"""The official Python client: typed, dynamic, watches and patches. Prints `ok` at the end."""

import sys

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client import ApiException

kubeconfig, namespace = sys.argv[1:]
config.load_kube_config(kubeconfig)
core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
rbac, version = client.RbacAuthorizationV1Api(), client.VersionApi()


def refused(status, reason, call, *args, **kwargs):
    """The call must fail with this code, and with a Status of this reason as its body."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == status, error
        assert f'"reason":"{reason}"' in error.body.replace(" ", ""), error.body
        return error.body
    raise AssertionError(f"{call.__name__} was not refused")


# Versions and groups.
assert version.get_code().minor == "36"
groups = {group.name for group in client.ApisApi().get_api_versions().groups}
assert {"apps", "batch", "rbac.authorization.k8s.io"} <= groups, groups
assert any(r.name == "pods/log" for r in core.get_api_resources().resources)

# Create, read, list by page and selector, replace, patch, delete.
core.create_namespace({"metadata": {"name": namespace}})
meta = client.V1ObjectMeta
for number in range(5):
    labels = {"parity": "odd" if number % 2 else "even"}
    core.create_namespaced_config_map(
        namespace,
        client.V1ConfigMap(metadata=meta(name=f"c-{number}", labels=labels), data={"n": str(number)}),
    )
listed = core.list_namespaced_config_map(namespace, label_selector="parity in (odd)")
assert [item.metadata.name for item in listed.items] == ["c-1", "c-3"]
names, token = [], None
while True:
    page = core.list_namespaced_config_map(
        namespace, limit=2, _continue=token, field_selector="metadata.name!=kube-root-ca.crt"
    )
    assert len(page.items) <= 2
    names += [item.metadata.name for item in page.items]
    token = page.metadata._continue
    if not token:
        break
assert names == [f"c-{number}" for number in range(5)], names

one = core.read_namespaced_config_map("c-1", namespace)
one.data["n"] = "one"
replaced = core.replace_namespaced_config_map("c-1", namespace, one)
assert replaced.metadata.resource_version != one.metadata.resource_version
refused(409, "Conflict", core.replace_namespaced_config_map, "c-1", namespace, one)
refused(409, "AlreadyExists", core.create_namespaced_config_map, namespace, {"metadata": {"name": "c-1"}})
refused(404, "NotFound", core.read_namespaced_config_map, "absent", namespace)
body = refused(
    422, "Invalid", core.create_namespaced_config_map, namespace, {"metadata": {"name": "No Good"}}
)
assert "metadata.name" in body, body

core.patch_namespaced_config_map("c-2", namespace, {"data": {"m": "2"}})
core.patch_namespaced_config_map(
    "c-2", namespace, [{"op": "remove", "path": "/data/n"}], field_manager="snake"
)
assert core.read_namespaced_config_map("c-2", namespace).data == {"m": "2"}
dry = core.patch_namespaced_config_map("c-2", namespace, {"data": {"m": "3"}}, dry_run="All")
assert dry.data == {"m": "3"}
assert core.read_namespaced_config_map("c-2", namespace).data == {"m": "2"}
gone = core.delete_namespaced_config_map("c-2", namespace)
assert gone["status"] == "Success" and gone["details"]["name"] == "c-2", gone
core.delete_collection_namespaced_config_map(namespace, label_selector="parity=odd")
left = core.list_namespaced_config_map(namespace).items
assert {item.metadata.name for item in left} == {"c-0", "c-4", "kube-root-ca.crt"}

# A secret's bytes, and its write-only field.
core.create_namespaced_secret(
    namespace, client.V1Secret(metadata=meta(name="s"), string_data={"word": "open"})
)
assert core.read_namespaced_secret("s", namespace).data == {"word": "b3Blbg=="}

# A watch from a list's revision, with bookmarks.
first = core.list_namespaced_config_map(namespace)
core.patch_namespaced_config_map("c-0", namespace, {"data": {"n": "zero"}})
core.create_namespaced_config_map(namespace, {"metadata": {"name": "c-9"}})
core.delete_namespaced_config_map("c-4", namespace)
seen, watcher = [], watch.Watch()
for event in watcher.stream(
    core.list_namespaced_config_map,
    namespace,
    resource_version=first.metadata.resource_version,
    allow_watch_bookmarks=True,
    timeout_seconds=60,
):
    seen.append((event["type"], event["object"].metadata.name))
    if len(seen) == 3:
        watcher.stop()
assert seen == [("MODIFIED", "c-0"), ("ADDED", "c-9"), ("DELETED", "c-4")], seen

# Workloads: status apart from spec, strategic merge by key.
labels = {"app": "web"}
deployment = client.V1Deployment(
    metadata=meta(name="web"),
    spec=client.V1DeploymentSpec(
        replicas=0,
        selector=client.V1LabelSelector(match_labels=labels),
        template=client.V1PodTemplateSpec(
            metadata=meta(labels=labels),
            spec=client.V1PodSpec(containers=[client.V1Container(name="web", image="web:1")]),
        ),
    ),
)
created = apps.create_namespaced_deployment(namespace, deployment)
assert created.metadata.generation == 1 and created.spec.strategy.type == "RollingUpdate"
patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
patched = apps.patch_namespaced_deployment("web", namespace, patch)
assert [c.name for c in patched.spec.template.spec.containers] == ["side", "web"]
assert patched.metadata.generation > created.metadata.generation
assert apps.read_namespaced_deployment_status("web", namespace).metadata.name == "web"
scale = apps.read_namespaced_deployment_scale("web", namespace)
assert not scale.spec.replicas and scale.status.selector == "app=web", scale
scaled = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
assert scaled.spec.replicas == 2
assert apps.read_namespaced_deployment("web", namespace).spec.replicas == 2
batch.create_namespaced_job(
    namespace,
    {
        "metadata": {"generateName": "job-"},
        "spec": {"suspend": True, "template": created.spec.template.to_dict() | {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "c:1"}]}}},
    },
)
assert batch.list_namespaced_job(namespace).items[0].metadata.name.startswith("job-")

# Objects of many kinds from a manifest, and access reviews.
utils.create_from_dict(
    client.ApiClient(),
    {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "reader"},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
            },
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}},
        ],
    },
    namespace=namespace,
)
assert rbac.read_namespaced_role("reader", namespace).rules[0].verbs == ["get"]
review = client.AuthorizationV1Api().create_self_subject_access_review(
    {"spec": {"resourceAttributes": {"namespace": namespace, "verb": "list", "resource": "pods"}}}
)
assert review.status.allowed

# The dynamic client: discovery, server-side apply.
dyn = dynamic.DynamicClient(client.ApiClient())
maps = dyn.resources.get(api_version="v1", kind="ConfigMap")
applied = maps.server_side_apply(
    namespace=namespace,
    body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}},
    field_manager="snake",
)
assert applied.data.a == "1"
assert maps.get(name="applied", namespace=namespace).metadata.managedFields[0].operation == "Apply"
ingresses = dyn.resources.get(api_version="networking.k8s.io/v1", kind="Ingress")
assert ingresses.get(namespace=namespace).items == []
maps.delete(name="applied", namespace=namespace)

core.delete_namespace(namespace)
print("ok")
