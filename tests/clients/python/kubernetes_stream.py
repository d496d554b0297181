"""The official Python client: exec over WebSocket. Prints `ok` at the end."""

import sys

from kubernetes import client, config
from kubernetes.stream import stream

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()

said = stream(
    core.connect_get_namespaced_pod_exec, "guest", "default",
    command=["testguest", "print", "3"], stdin=False, stdout=True, stderr=False, tty=False,
)
assert len(said.splitlines()) == 3, said

talk = stream(
    core.connect_get_namespaced_pod_exec, "cat", "default",
    command=["cat", *"1234567"], stdin=False, stdout=True, stderr=True, tty=False,
    _preload_content=False,
)
talk.run_forever(timeout=60)
assert talk.returncode == 7, talk.returncode

print("ok")
