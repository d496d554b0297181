"""kr8s: objects with methods of their own. Prints `ok` at the end."""

import sys

import kr8s
from kr8s.objects import ConfigMap, Deployment, Namespace, Pod, Secret, Service, objects_from_files

kubeconfig, namespace, manifest = sys.argv[1:]
api = kr8s.api(kubeconfig=kubeconfig)
assert api.version()["minor"] == "36"
assert api.whoami()
assert any(resource["kind"] == "Deployment" for resource in api.api_resources())
assert "apps/v1" in list(api.api_versions())

Namespace({"metadata": {"name": namespace}}, api=api).create()
settings = ConfigMap(
    {"metadata": {"name": "settings", "namespace": namespace}, "data": {"a": "1"}}, api=api
)
assert not settings.exists()
settings.create()
assert settings.exists() and settings.metadata.uid
settings.patch({"data": {"b": "2"}})
assert settings.data == {"a": "1", "b": "2"}, settings.data
settings.patch([{"op": "remove", "path": "/data/a"}], type="json")
assert settings.data == {"b": "2"}, settings.data
settings.label({"tier": "web"})
settings.annotate({"note": "yes"})
assert settings.labels == {"tier": "web"} and settings.annotations["note"] == "yes"
found = list(api.get("configmaps", namespace=namespace, label_selector={"tier": "web"}))
assert [item.name for item in found] == ["settings"], found
found = list(api.get("configmaps", namespace=namespace, field_selector="metadata.name=settings"))
assert [item.name for item in found] == ["settings"], found
assert ConfigMap.get("settings", namespace=namespace, api=api).metadata.uid == settings.metadata.uid

for item in objects_from_files(manifest, api=api):
    item.namespace = namespace
    item.create()
web = Deployment.get("web", namespace=namespace, api=api)
web.scale(0)
assert web.replicas == 0
assert Service.get("web", namespace=namespace, api=api).spec.clusterIP
assert list(Secret.list(namespace=namespace, api=api)) == []

pod = Pod(
    {
        "metadata": {"name": "idle", "namespace": namespace},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "c:1"}]},
    },
    api=api,
)
pod.create()
assert not pod.ready()
assert list(api.get("pods", "idle", namespace=namespace))[0].name == "idle"
for event, item in api.watch("pods", namespace=namespace):
    assert (event, item.name) == ("ADDED", "idle"), (event, item.name)
    break
pod.delete()
pod.wait("delete", timeout=60)
settings.delete()
settings.wait("delete", timeout=60)
try:
    ConfigMap.get("settings", namespace=namespace, api=api, timeout=1)
except kr8s.NotFoundError:
    pass
else:
    raise AssertionError("a deleted object was found")
Namespace.get(namespace, api=api).delete()
print("ok")
