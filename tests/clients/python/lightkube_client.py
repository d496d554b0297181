"""lightkube: generic verbs over typed models. Prints `ok` at the end."""

import sys

from lightkube import ApiError, Client, KubeConfig, codecs
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod, Secret, Service
from lightkube.types import CascadeType, PatchType

kubeconfig, namespace, manifest = sys.argv[1:]
client = Client(
    config=KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="lightkube"
)
assert [node.metadata.name for node in client.list(Node)] == ["node-1"]
client.create(Namespace(metadata=ObjectMeta(name=namespace)))

created = client.create(ConfigMap(metadata=ObjectMeta(name="settings"), data={"a": "1"}))
created.data["a"] = "2"
assert client.replace(created).data == {"a": "2"}
try:
    client.replace(created)
except ApiError as error:
    assert error.status.code == 409 and error.status.reason == "Conflict", error.status
else:
    raise AssertionError("a write from an old revision was not refused")
merged = client.patch(ConfigMap, "settings", {"data": {"a": None, "b": "3"}}, patch_type=PatchType.MERGE)
assert merged.data == {"b": "3"}, merged.data
json_patch = [{"op": "add", "path": "/data/c", "value": "4"}]
assert client.patch(ConfigMap, "settings", json_patch, patch_type=PatchType.JSON).data["c"] == "4"
applied = client.apply(
    ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="applied"), data={"a": "1"})
)
assert [entry.manager for entry in applied.metadata.managedFields] == ["lightkube"]
try:
    client.apply(
        ConfigMap(
            apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="applied"), data={"a": "9"}
        ),
        field_manager="other",
    )
except ApiError as error:
    assert error.status.code == 409, error.status
    assert error.status.details.causes[0].field == ".data.a", error.status
else:
    raise AssertionError("a field of somebody else was taken without force")
client.apply(
    ConfigMap(apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="applied"), data={"a": "9"}),
    field_manager="other",
    force=True,
)
assert client.get(ConfigMap, "applied").data == {"a": "9"}

with open(manifest) as file:
    for item in codecs.load_all_yaml(file):
        client.apply(item)
web = client.get(Deployment, "web")
assert web.spec.template.spec.containers[0].name == "web"


def replaced(resource, change):
    """Changes `web`, which its controller writes too: who lost the race reads again."""
    while True:
        item = client.get(resource, "web")
        change(item)
        try:
            return client.replace(item, "web")
        except ApiError as error:
            assert error.status.code == 409 and error.status.reason == "Conflict", error.status


assert not replaced(Deployment.Scale, lambda scale: setattr(scale.spec, "replicas", 0)).spec.replicas
observed = replaced(Deployment.Status, lambda web: setattr(web.status, "observedGeneration", 7))
assert observed.status.observedGeneration == 7
names = {item.metadata.name for item in client.list(Service, labels={"app": "web"})}
assert names == {"web"}, names
names = {item.metadata.name for item in client.list(ConfigMap, fields={"metadata.name": "settings"})}
assert names == {"settings"}, names
pages = list(client.list(ConfigMap, chunk_size=1))
assert len(pages) >= 2, pages

version = client.get(ConfigMap, "settings").metadata.resourceVersion
client.patch(ConfigMap, "settings", {"data": {"d": "5"}})
for operation, item in client.watch(
    ConfigMap, fields={"metadata.name": "settings"}, resource_version=version
):
    assert (operation, item.data["d"]) == ("MODIFIED", "5"), (operation, item)
    break
client.delete(ConfigMap, "settings", cascade=CascadeType.BACKGROUND)
try:
    client.get(ConfigMap, "settings")
except ApiError as error:
    assert error.status.code == 404 and error.status.details.name == "settings", error.status
else:
    raise AssertionError("a deleted object was found")
client.deletecollection(ConfigMap)
assert list(client.list(Secret)) == [] and list(client.list(Pod)) == []
client.delete(Namespace, namespace)
print("ok")
