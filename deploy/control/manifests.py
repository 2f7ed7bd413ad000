"""Manifests as commands carry them: that of a package, its bytes as they lie in the folder, in base64."""

from __future__ import annotations

import base64
from pathlib import Path

from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.signed import Signed, opened_manifest
from driftline.schemas.control.envelope import MAX_BYTES


def packaged(folder: Path) -> tuple[Signed, str]:
    """The manifest of a package, and how a command carries it; raises BrokenPackageError when it is none."""
    data = read(folder, FILE, MAX_BYTES)
    return opened_manifest(data, None), base64.b64encode(data).decode()
