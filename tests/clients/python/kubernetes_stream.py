"""The official Python client: exec and port-forward over WebSocket. Prints `ok` at the end."""

import sys

from kubernetes import client, config
from kubernetes.stream import portforward, stream

config.load_kube_config(sys.argv[1])
core = client.CoreV1Api()


def talk(pod, command, **options):
    """A program that is talked to while it runs."""
    wanted = {"stdin": False, "stdout": True, "stderr": True, "tty": False} | options
    return stream(
        core.connect_get_namespaced_pod_exec, pod, "default", command=command,
        _preload_content=False, **wanted,
    )


said = stream(
    core.connect_get_namespaced_pod_exec, "guest", "default",
    command=["testguest", "print", "3"], stdin=False, stdout=True, stderr=False, tty=False,
)
assert len(said.splitlines()) == 3, said

ended = talk("cat", ["cat", *"1234567"])
ended.run_forever(timeout=60)
assert ended.returncode == 7, ended.returncode

# Word for word: what is written comes back before more is written.
echo = talk("cat", ["cat"], stdin=True)
for line in ["first", "second", "l\u00e4st"]:
    echo.write_stdin(line + "\n")
    assert echo.readline_stdout(timeout=60) == line, line
echo.close_channel(0)
echo.run_forever(timeout=60)
assert echo.returncode == 0, echo.returncode

# More than fits into any buffer on the way, as bytes.
echo = talk("cat", ["cat"], stdin=True, binary=True)
block = bytes(range(256)) * 64
received = b""
for number in range(64):
    echo.write_stdin(block)
    while len(received) < (number + 1) * len(block):
        received += echo.read_channel(1, timeout=60)
assert received == block * 64
echo.close_channel(0)
echo.run_forever(timeout=60)
assert echo.returncode == 0, echo.returncode


def read_all(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def forwarded(ports):
    return portforward(
        core.connect_get_namespaced_pod_portforward, "web", "default", ports=ports
    )


for _ in range(3):
    forward = forwarded("8080")
    connection = forward.socket(8080)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
    page = read_all(connection)
    assert page.startswith(b"HTTP/1.1 200") and b"Hello" in page, page
    assert forward.error(8080) is None, forward.error(8080)

# A port where nobody listens, beside one where somebody does.
forward = forwarded("8080,81")
assert read_all(forward.socket(81)) == b""
assert "81" in forward.error(81), forward.error(81)
connection = forward.socket(8080)
connection.sendall(b"GET / HTTP/1.0\r\nHost: web\r\n\r\n")
assert b"Hello" in read_all(connection)

print("ok")
