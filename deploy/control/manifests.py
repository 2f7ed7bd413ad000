"""Manifests as commands carry them: the signed manifest of a package, its bytes as they lie in the folder."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.signed import Signed, opened_manifest
from driftline.deploy.control.errors import AskingError
from driftline.schemas.control.envelope import MAX_BYTES


def packaged(folder: Path) -> tuple[Signed, str]:
    """The manifest of a package, and how a command carries it; raises BrokenPackageError when it is none."""
    data = read(folder, FILE, MAX_BYTES)
    return opened_manifest(data, None), base64.b64encode(data).decode()


def carried(text: str) -> Signed:
    """Read what a command carries.

    Raises:
        BrokenPackageError: it is no signed manifest.
        AskingError: it is no base64.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AskingError("the manifest of this command is no base64") from error
    return opened_manifest(data, None)
