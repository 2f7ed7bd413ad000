"""`deployment apply` and `profile publish` in an installation under control, against a controller in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from counting import batch, profile_of
from memory_wire import MemoryWire, key_file
from office import Office

from driftline.deploy.cli import main
from driftline.deploy.control import wire as wires
from driftline.deploy.local import deployments
from driftline.deploy.tables.profile_files import save_profile
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_file import parse_deployment
from driftline.schemas.deployment_state import next_state

Say = Callable[..., tuple[int, str, str]]
FILE = """deployment = "churn"
owner = "Ana"
[[mutes]]
since = 2026-12-24T00:00:00Z
until = 2026-12-27T00:00:00Z
reason = "holidays"
"""


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the records of `deployment-state`, as a list of values of `churn`."""
    values: list[bytes] = []

    def read(_kafka: object, _topic: str) -> Iterator[Any]:
        for value in values:
            yield SimpleNamespace(key=lambda: b"churn", value=lambda value=value: value)

    monkeypatch.setattr(deployments, "records", read)
    return values


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, topic: list[bytes]) -> Office:
    """Put a controller in memory where Kafka would be; Ann signs, `churn` has a champion."""
    del topic
    made = Office("medium")
    made.now_ms = time.time_ns() // 1_000_000
    made.created()
    wire = MemoryWire(made)
    monkeypatch.setattr(wires, "wire_of", lambda _kafka: wire)
    for name, value in {
        "KAFKA_BOOTSTRAP": "nowhere:1",
        "CLICKHOUSE_HOST": "nowhere",
        "CLICKHOUSE_PORT": "1",
        "CONTROL_GENESIS": wire.genesis,
        "CONTROL_KEY": key_file(tmp_path, "ann"),
    }.items():
        monkeypatch.setenv(f"DRIFTLINE_{name}", value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "churn.toml").write_text(FILE, encoding="utf-8")
    return made


def test_settings_go_as_a_signed_command(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """The file travels whole, times as texts, with the time from which it holds, and reads back as it was."""
    assert main(["deployment", "apply", "churn.toml", "--since", "2013-04-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["published"] is True
    told = office.told[-1]
    assert told.command is not None
    assert (told.by, told.command.op, told.command.target) == ("ann", "configure", "1364774400000")
    read = Command.from_bytes(Envelope.from_bytes(told.envelope.to_bytes()).body)  # type: ignore[union-attr]
    assert parse_deployment(read.settings or {}, "x").mutes[0].reason == "holidays"


def test_settings_that_are_so_are_not_asked_for(
    office: Office, topic: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same content again is no command."""
    import tomllib

    wanted: DeploymentSettings = parse_deployment(tomllib.loads(FILE), "x")
    topic.append(next_state(None, wanted, changed_by="ann", now_ms=5).to_bytes())
    size = len(office.told)
    assert main(["deployment", "apply", "churn.toml"]) == 0
    assert capsys.readouterr().out == "churn, revision 1 says the same already: nothing to do\n"
    assert len(office.told) == size


def test_a_profile_that_nobody_registered_is_not_published(
    office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A profile whose digest no signed register names is refused, with what comes first."""
    profile = profile_of(batch({"temp": [1.0, 2.0]}), has_times=False, provenance="none")
    save_profile(profile, tmp_path / "some.profile")
    assert main(["profile", "publish", "some.profile"]) == 1
    assert capsys.readouterr().err == (
        f"driftline: no register names the profile {profile.digest()} for {profile.deployment} "
        f"{profile.model_version}: 'driftline register' comes first\n"
    )
    assert office.told
