"""Files of roles: each holds one role's users, privately, and is what a process is given as its settings."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from driftline.deploy.access import files
from driftline.deploy.access.files import AccessError
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.secured import Secured
from driftline.schemas.settings import Kafka, Settings, load

ASKED = Settings(kafka=Kafka(topic_prefix="eu.", bootstrap="kafka:9093"))


def test_a_role_file_is_the_settings_of_a_process(tmp_path: Path) -> None:
    """DRIFTLINE_CONFIG with the file gives the role's user of Kafka and ClickHouse, over SASL and TLS."""
    files.make(tmp_path / "roles", ASKED)
    found = load({"DRIFTLINE_CONFIG": str(tmp_path / "roles" / "drift.toml")}, None)
    assert (found.kafka.security_protocol, found.kafka.sasl_mechanism) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (found.kafka.sasl_username, found.clickhouse.user) == ("eu.driftline-drift", "driftline-drift")
    assert found.kafka.bootstrap == "kafka:9093"
    assert found.kafka.sasl_password != found.clickhouse.password


def test_no_two_roles_share_a_password(tmp_path: Path) -> None:
    """Every password of every role is its own."""
    files.make(tmp_path / "roles", ASKED)
    given = [files.password_of(tmp_path / "roles", name, "kafka") for name in files.IN_KAFKA]
    given += [files.password_of(tmp_path / "roles", name, "clickhouse") for name in files.IN_CLICKHOUSE]
    assert len(set(given)) == len(given)
    assert min(map(len, given)) >= 43


def test_files_are_of_their_owner_alone(tmp_path: Path) -> None:
    """The folder has mode 0700, every file in it 0600."""
    folder = tmp_path / "roles"
    files.make(folder, ASKED)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_made_again_passwords_stay_but_those_asked_for(tmp_path: Path) -> None:
    """A second run keeps passwords and takes new addresses; a role named is given others."""
    folder = tmp_path / "roles"
    files.make(folder, ASKED)
    before = {name: files.password_of(folder, name, "kafka") for name in files.IN_KAFKA}
    assert files.make(folder, Settings(kafka=Kafka(bootstrap="elsewhere:9093")), again=["agent"]) == ["agent"]
    after = {name: files.password_of(folder, name, "kafka") for name in files.IN_KAFKA}
    assert {name for name in after if after[name] != before[name]} == {"agent"}
    assert 'bootstrap = "elsewhere:9093"' in (folder / "drift.toml").read_text()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A role file with a bit for others is not used, nor a folder."""
    folder = tmp_path / "roles"
    files.make(folder, ASKED)
    (folder / "drift.toml").chmod(0o640)
    with pytest.raises(AccessError, match="can be read by others: chmod 600"):
        files.with_role(Settings(), folder, "drift")
    folder.chmod(0o750)
    with pytest.raises(AccessError, match="is not private: chmod 700"):
        files.make(folder, ASKED)


def test_the_settings_of_a_role_are_else_those_given(tmp_path: Path) -> None:
    """A role adds users, passwords and security; addresses and partitions stay."""
    folder = tmp_path / "roles"
    files.make(folder, ASKED)
    here = Settings(kafka=Kafka(bootstrap="127.0.0.1:1", partitions=7))
    found = files.with_role(here, folder, "archive")
    assert (found.kafka.bootstrap, found.kafka.partitions) == ("127.0.0.1:1", 7)
    assert found.kafka.sasl_username == "eu.driftline-archive"
    assert found.clickhouse.user == "driftline-archive"
    assert repr(found.kafka.sasl_password) == "'***'"


@pytest.mark.parametrize("name", files.NAMES)
def test_a_process_takes_the_settings_of_its_role(tmp_path: Path, name: str) -> None:
    """What a secured stack tells a child of any role, by variables and the role's file, is no contradiction."""
    secured = Secured(tmp_path / "access", is_new=True)
    settings = secured.over(Settings())
    secured.write(settings)
    told = child_environment(secured.settings_of(name, settings), {}, config=secured.file_of(name))
    found = load(told, None)
    assert bool(found.kafka.sasl_username) is (name in files.IN_KAFKA)
