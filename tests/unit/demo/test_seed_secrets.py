"""The secrets of an installation to try things in: who finds which, and that they stay."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import msgspec
import pytest

from driftline.deploy.access import files
from driftline.deploy.demo.secrets import FILE, ROOT, SERVERS, broker_properties, make_secrets
from driftline.schemas.settings import Kafka, Settings
from driftline.schemas.sources import read_document

KAFKA = Kafka(bootstrap="kafka:9092", ssl_ca_location="")
SETTINGS = Settings(kafka=KAFKA)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A private folder with secrets in it."""
    tmp_path.chmod(0o700)
    assert set(make_secrets(tmp_path, SETTINGS, Path("/mounted"))) == set(files.NAMES)
    return tmp_path


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_role_finds_its_own_password_alone(folder: Path) -> None:
    """The folder of a role holds its settings file and whom to trust, and no word of another role's password."""
    words = {name: files.password_of(folder / "roles", name, "kafka") for name in files.IN_KAFKA}
    assert len(set(words.values())) == len(words)
    for name, word in words.items():
        held = b"".join(everything(folder / name).values()).decode()
        assert word in held
        assert [other for other, one in words.items() if other != name and one in held] == []
        assert read_document(folder / name / FILE)["kafka"]["ssl_ca_location"] == "/mounted/ca.pem"


def test_a_second_start_changes_nothing(folder: Path) -> None:
    """What is there stays, byte by byte: a server's data knows no other password."""
    before = everything(folder)
    assert make_secrets(folder, SETTINGS, Path("/mounted")) == []
    assert everything(folder) == before


def test_an_address_that_moved_is_told(folder: Path) -> None:
    """Another address of Kafka comes into every role's file and the broker's, whose passwords stay."""
    moved = msgspec.structs.replace(SETTINGS, kafka=msgspec.structs.replace(KAFKA, bootstrap="broker:9092"))
    before = files.password_of(folder / "roles", "drift", "kafka")
    make_secrets(folder, moved, Path("/mounted"))
    role = read_document(folder / "drift" / FILE)["kafka"]
    assert (role["bootstrap"], role["sasl_password"]) == ("broker:9092", before)
    assert "CLIENT://broker:9092" in (folder / "kafka/server.properties").read_text()


def test_files_of_ours_are_private_and_those_of_servers_are_readable(folder: Path) -> None:
    """A role's files are its owner's alone; a server, which runs as somebody else, may read its own and write none."""
    for path in folder.rglob("*"):
        server = path.relative_to(folder).parts[0] in SERVERS
        wanted = {True: 0o755 if server else 0o700, False: 0o444 if server else 0o600}[path.is_dir()]
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_clickhouse_begins_with_one_user_whose_password_it_is_not_told(folder: Path) -> None:
    """ClickHouse is given the digest of one password, and no user but that one: `default` is taken away."""
    text = (folder / "clickhouse/users.xml").read_text()
    word = (folder / "roles/passwords" / ROOT).read_text()
    assert hashlib.sha256(word.encode()).hexdigest() in text
    assert word not in text
    assert '<default remove="remove"/>' in text


def test_the_broker_lets_nobody_in_without_a_user() -> None:
    """Every listener of the broker wants a user over TLS, and what no ACL allows is denied."""
    lines = dict(line.split("=", 1) for line in broker_properties("word", "kafka:9092").splitlines())
    protocols = dict(one.split(":") for one in lines["listener.security.protocol.map"].split(","))
    assert protocols.keys() == {one.partition(":")[0] for one in lines["listeners"].split(",")}
    assert set(protocols.values()) == {"SASL_SSL"}
    assert lines["allow.everyone.if.no.acl.found"] == "false"
    assert "word" not in lines["listener.name.client.scram-sha-512.sasl.jaas.config"]
