"""What commands bring: a manifest that is the model's and signed by somebody known, settings that can be."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from signed import command, key, trust
from signed_package import package

from driftline.agents.control.judge import Facts
from driftline.agents.control.looking import look
from driftline.agents.control.trust import Keyring, first_state
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.package.signed import opened_manifest
from driftline.schemas.control.command import Command, ModelRef

SIGNERS = Keyring(first_state(trust(), "")).persons


def register(folder: Path, **fields: Any) -> Command:
    """Return the registration of a package; arguments replace fields of the command."""
    data = (package(folder, "2") / "manifest.json").read_bytes()
    whole = {
        "model": opened_manifest(data, None).ref,
        "manifest": base64.b64encode(data).decode(),
        "profile": "cd" * 32,
        **fields,
    }
    return command("register", **whole)


def test_a_registration_brings_its_tier(tmp_path: Path) -> None:
    """What the policy judges by is the tier that the signed manifest says."""
    assert look(register(tmp_path), SIGNERS) == Facts(tier="medium")


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"manifest": "*"}, "malformed", "no base64"),
        ({"manifest": "e30="}, "precondition_failed", "manifest.json"),
        (
            {"model": ModelRef(name="churn", version="2", manifest="00" * 32)},
            "precondition_failed",
            "another digest",
        ),
        ({"profile": "00" * 32}, "precondition_failed", "names another"),
    ],
)
def test_a_manifest_that_is_not_the_models_is_refused(
    tmp_path: Path, fields: dict[str, Any], code: str, said: str
) -> None:
    """No base64, no manifest, another package's, another profile: each is a sentence."""
    found = look(register(tmp_path, **fields), SIGNERS)
    assert isinstance(found, Refusal)
    assert (found.code, said in found.sentence) == (code, True)


def test_a_package_is_signed_by_somebody_known(tmp_path: Path) -> None:
    """A manifest that no person's key signed is refused."""
    found = look(register(tmp_path), {key("val").keyid: key("val").public})
    assert isinstance(found, Refusal)
    assert "keys that may sign packages" in found.sentence


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"deployment": "churn", "ownr": "x"}, "unknown key"),
        ({"deployment": "fraud"}, "settings of 'fraud'"),
        ({}, "deployment is lacking"),
        ({"deployment": "churn", "minimum_rows": -1}, "minimum_rows"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    """An unknown key, another deployment, none, a value that is not allowed: as `deployment apply` says it."""
    found = look(command("configure", settings=settings), SIGNERS)
    assert isinstance(found, Refusal)
    assert said in found.sentence
    assert look(command("configure", settings={"deployment": "churn", "owner": "Ana"}), SIGNERS) == Facts()


def test_other_commands_bring_nothing() -> None:
    """There is nothing to look at in a halt."""
    assert look(command("halt-serving"), SIGNERS) == Facts()
