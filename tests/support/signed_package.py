"""The signed manifest of a package for tests of commands, which never look at its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signed import key

from driftline.agents.control.signing import sign
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import File, Golden, Manifest, Reference
from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.control.envelope import MANIFEST

DIGEST = "ab" * 32


def package(folder: Path, version: str, **fields: Any) -> Path:
    """Make the folder of a package with its manifest alone; arguments replace fields of it."""
    whole: dict[str, Any] = {
        "name": "churn",
        "version": version,
        "format": "onnx",
        "model": "model.onnx",
        "files": tuple(
            File(path=one, size=1, sha256=DIGEST) for one in ("golden.npz", "model.onnx", "profile.bin")
        ),
        "inputs": (Tensor(name="X", datatype="FP32", shape=(-1, 1), columns=("age",)),),
        "outputs": (Tensor(name="p", datatype="FP32", shape=(-1, 1), columns=("p",)),),
        "golden": Golden(file="golden.npz", rows=1, rtol=0.0, atol=0.0),
        "owner": "Ana Ruiz",
        "purpose": "says who may leave",
        "tier": "medium",
        "oversight": "Bo Lind",
        "training_data": DIGEST,
        "provenance": "held-out",
        "target": "left",
        "profile": Reference(file="profile.bin", digest="cd" * 32),
        **fields,
    }
    made = folder / f"package-{version}"
    made.mkdir()
    (made / FILE).write_bytes(sign(MANIFEST, Manifest(**whole).to_bytes(), key("ann")).to_bytes())
    return made
