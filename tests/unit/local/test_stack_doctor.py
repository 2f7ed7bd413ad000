"""What doctor finds without a running stack."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from driftline.deploy.local.check import Check, split_sentence
from driftline.deploy.local.check_directory import directory_checks
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.examine import examine
from driftline.deploy.local.kafka_topics import compare
from driftline.deploy.local.programs import MAVEN, major, version_text
from driftline.schemas.settings import Local, Settings
from driftline.schemas.topics import topic


def named(checks: list[Check], name: str) -> Check:
    """Return the check of a name."""
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ("Apache Maven 3.8.7", 3),
        ("11.19.1", 11),
        ("nothing", 0),
    ],
)
def test_major_versions_are_read(text: str, expected: int) -> None:
    """The major version is found in what each program says; Java's old 1.8 is 8."""
    assert major(text) == expected


def test_a_coloured_version_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maven's colours are no part of its version."""
    program = tmp_path / "mvn"
    program.write_text("#!/bin/sh\nprintf '\\033[1mApache Maven 3.8.7\\033[m\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert version_text(MAVEN) == "Apache Maven 3.8.7"


def test_a_missing_program_names_its_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without java, mvn and npm each is a failure with the line that installs it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = examine({"XDG_CACHE_HOME": str(tmp_path / "cache")}, tmp_path)
    for program in ("java", "mvn", "npm"):
        assert named(checks, program).level == "fail"
        assert named(checks, program).mend.startswith("sudo apt-get install")


def test_programs_of_outside_parts_are_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs Kafka elsewhere needs neither Java nor Maven here."""
    monkeypatch.setenv("PATH", str(tmp_path))
    env = {"DRIFTLINE_LOCAL_KAFKA": "outside", "DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    names = {check.name for check in examine({**env, "XDG_CACHE_HOME": str(tmp_path)}, tmp_path)}
    assert not {"java", "mvn", "kafka port"} & names
    assert "npm" in names


def test_an_address_that_was_given_is_looked_at(tmp_path: Path) -> None:
    """Without a stack a given address is the one that commands use: when nobody answers there, that is a failure."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        checks = examine({"DRIFTLINE_CLICKHOUSE_PORT": f"{port}"}, tmp_path)
    assert named(checks, "clickhouse").level == "fail"
    assert f"127.0.0.1:{port}" in named(checks, "clickhouse").found
    assert "DRIFTLINE_CLICKHOUSE_*" in named(checks, "clickhouse").mend
    assert named(checks, "kafka").mend == "driftline up"


@pytest.mark.timeout(60)
def test_a_clickhouse_that_hangs_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes a connection and says nothing is down after the seconds that who only looks waits."""
    monkeypatch.setattr("driftline.deploy.local.check_services.LOOK_SECONDS", 1)
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        checks = examine({"DRIFTLINE_CLICKHOUSE_PORT": f"{hanging.getsockname()[1]}"}, tmp_path)
    assert named(checks, "clickhouse").level == "fail"
    assert "does not answer" in named(checks, "clickhouse").found


def test_a_wrong_setting_is_the_only_finding(tmp_path: Path) -> None:
    """A setting that is not allowed is named with its value."""
    checks = examine({"DRIFTLINE_KAFKA_PARTITIONS": "many"}, tmp_path)
    assert [(check.name, check.level) for check in checks] == [("settings", "fail")]
    assert "'many'" in checks[0].found


def test_a_port_in_use_is_found(tmp_path: Path) -> None:
    """A chosen port that another program holds is a failure that names the variable."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(local=Local(kafka_port=other.getsockname()[1]))
        checks = directory_checks(settings, DataDirectory(tmp_path / ".driftline"))
    assert named(checks, "kafka port").level == "fail"
    assert "DRIFTLINE_LOCAL_KAFKA_PORT" in named(checks, "kafka port").mend
    assert named(checks, "clickhouse port").level == "ok"


def test_a_damaged_data_directory_is_found(tmp_path: Path) -> None:
    """A damaged identity is a failure with its mend."""
    directory = DataDirectory(tmp_path)
    directory.make()
    directory.identity_file.write_text("{")
    found = named(directory_checks(Settings(), directory), "data directory")
    assert found.level == "fail"
    assert "move it away" in found.mend


def test_a_sentence_is_split_at_its_mend() -> None:
    """What stands after the last colon of an error is its mend."""
    check = split_sentence("x", "the file a: b is damaged: move it away")
    assert (check.found, check.mend) == ("the file a: b is damaged", "move it away")


def test_topics_are_compared_value_by_value() -> None:
    """A topic as the contract says has no fault; another count and another value are one fault each."""
    predictions = topic("predictions")
    assert compare("p", predictions, 4, 4, predictions.config) == []
    faults = compare("p", predictions, 4, 2, {**predictions.config, "retention.ms": "1"})
    assert [(fault.key, fault.found) for fault in faults] == [("partitions", "2"), ("retention.ms", "1")]
    assert all(fault.topic in fault.sentence() for fault in faults)
