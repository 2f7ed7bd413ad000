"""Looking: what a command brings, held against itself: the manifest of a register, the settings of a configure."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from driftline.agents.control.judge import Facts
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.signed import opened_manifest
from driftline.schemas.deployment_file import parse_deployment
from driftline.schemas.sources import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.control.command import Command


def look(command: Command, signers: Mapping[str, bytes]) -> Facts | Refusal:
    """Look at what a command brings.

    Args:
        command: whose shape was checked.
        signers: raw public keys, by id, of those who may sign packages.

    Returns:
        What is known of it: of a register, the tier that the manifest says; or why the command cannot be.
    """
    if command.op == "register":
        return _package(command, signers)
    if command.op == "configure":
        return _settings(command)
    return Facts()


def _package(command: Command, signers: Mapping[str, bytes]) -> Facts | Refusal:
    try:
        data = base64.b64decode(command.manifest or "", validate=True)
        signed = opened_manifest(data, signers)
    except (binascii.Error, ValueError):
        return Refusal("malformed", "the manifest of this register is no base64")
    except PackageError as error:
        return Refusal("precondition_failed", str(error))
    if signed.ref != command.model:
        named = command.model.version if command.model is not None else "none"
        said = f"the manifest is that of {signed.manifest.title}, {signed.digest[:16]}"
        return Refusal("precondition_failed", f"{said}; the command names version {named}, or another digest")
    held = signed.manifest.profile
    if held is not None and held.digest != command.profile:
        return Refusal(
            "precondition_failed", f"the package holds the profile {held.digest}, the command names another"
        )
    return Facts(tier=signed.manifest.tier)


def _settings(command: Command) -> Facts | Refusal:
    try:
        found = parse_deployment(command.settings or {}, "the settings of this configure")
    except SettingsError as error:
        return Refusal("precondition_failed", str(error))
    if found.deployment != command.deployment:
        said = f"these are settings of {found.deployment!r}"
        return Refusal("precondition_failed", f"{said}, and the command is for {command.deployment}")
    return Facts()
