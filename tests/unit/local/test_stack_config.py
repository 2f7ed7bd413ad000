"""The configuration texts of Kafka and ClickHouse."""

from __future__ import annotations

import hashlib
import tomllib
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from driftline.deploy.local.checksums import parse
from driftline.deploy.local.clickhouse_config import ClickHouseOptions, config_xml, users_xml
from driftline.deploy.local.clickhouse_library import PACKAGE
from driftline.deploy.local.environment import child_environment, variables
from driftline.deploy.local.kafka_config import BrokerPorts, server_properties
from driftline.deploy.local.kafka_jars import kafka_version
from driftline.schemas.settings import Kafka, Secret, Settings, Worker, load

PASSWORD = "p<w>"  # noqa: S105 - of no server
OPTIONS = ClickHouseOptions(8123, "a<b>&c", password=PASSWORD)


def properties(text: str) -> dict[str, str]:
    """Read a properties file."""
    return dict(line.split("=", 1) for line in text.splitlines())


def test_the_broker_listens_on_loopback_only() -> None:
    """Both listeners and the advertised address are 127.0.0.1 on the given ports."""
    held = properties(server_properties(Path("/d"), BrokerPorts(9092, 9093)))
    assert held["listeners"] == "CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert held["advertised.listeners"] == "CLIENT://127.0.0.1:9092"
    assert held["log.dirs"] == "/d"


def test_every_copy_is_one_on_one_node() -> None:
    """No replication factor and no minimum of copies asks for a second node."""
    held = properties(server_properties(Path("/d"), BrokerPorts(1, 2)))
    copies = {key: value for key, value in held.items() if key.endswith(("replication.factor", "min.isr"))}
    assert len(copies) == 6
    assert set(copies.values()) == {"1"}


def test_clickhouse_is_well_formed_and_on_loopback() -> None:
    """The XML is well-formed whatever the nonce and the password are, and listens on loopback."""
    config = ET.fromstring(config_xml(OPTIONS, "/u&v.xml"))  # noqa: S314
    assert config.findtext("listen_host") == "127.0.0.1"
    assert config.findtext("http_port") == "8123"
    assert config.findtext("macros/driftline_nonce") == OPTIONS.nonce
    assert config.find("tcp_port") is None


def test_clickhouse_keeps_only_a_digest_of_the_password() -> None:
    """The users file holds the SHA-256 of the password, not the password, and admits loopback only."""
    text = users_xml(OPTIONS)
    users = ET.fromstring(text)  # noqa: S314
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    assert users.findtext("users/default/password_sha256_hex") == digest
    assert users.findtext("users/default/networks/ip") == "127.0.0.1"
    assert PASSWORD not in text


def test_settings_survive_the_environment() -> None:
    """A child that loads the variables has the same settings, secrets and defaults included."""
    kafka = Kafka(
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_username="u",
        sasl_password=Secret("s=e c"),
        topic_prefix="t.",
    )
    settings = Settings(kafka=kafka, worker=Worker(checkpoint_seconds=0.25))
    assert load(variables(settings)) == settings
    assert load(variables(Settings())) == Settings()


def test_a_child_gets_no_other_settings() -> None:
    """Variables of another stack do not reach the child."""
    env = child_environment(Settings(), {"PATH": "/bin", "DRIFTLINE_CONFIG": "/x.toml"})
    assert env["PATH"] == "/bin"
    assert "DRIFTLINE_CONFIG" not in env


def test_checksums_name_the_jars_of_the_pom() -> None:
    """SHA256SUMS holds the broker of the pom's version, each digest whole and each name plain."""
    folder = files("driftline.deploy.local")
    sums = parse(folder.joinpath("SHA256SUMS").read_text())
    version = kafka_version(folder.joinpath("pom.xml").read_text())
    assert f"kafka_2.13-{version}.jar" in sums
    assert all(len(digest) == 64 and name.endswith(".jar") for name, digest in sums.items())


def test_the_library_is_locked_by_hash_without_an_address() -> None:
    """package-lock.json pins the exact version by SHA-512 and names no registry."""
    folder = files("driftline.deploy.local")
    wanted = msgspec.json.decode(folder.joinpath("package.json").read_bytes())["dependencies"][PACKAGE]
    lock = folder.joinpath("package-lock.json").read_text()
    held = msgspec.json.decode(lock)["packages"][f"node_modules/{PACKAGE}"]
    assert held["version"] == wanted
    assert held["integrity"].startswith("sha512-")
    assert "resolved" not in lock
    assert "http" not in lock


def test_data_files_are_packaged(checkout: Path) -> None:
    """The wheel carries what the local stack reads at run time."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    carried = set(project["tool"]["setuptools"]["package-data"]["driftline.deploy"])
    assert {"local/pom.xml", "local/SHA256SUMS", "local/package.json", "local/package-lock.json"} <= carried
