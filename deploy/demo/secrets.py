"""Secrets of an installation to try things in: made once, each below the folder of whoever needs it and of nobody else.

Folders: one a role, with its settings file and whom to trust; `kafka`, `clickhouse` and `grafana` for the servers,
which run as users of their own; `roles`, with every role, for whoever sets users and ACLs.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.access import certificates, files
from driftline.deploy.local.kafka_config import BROKER, BrokerAccess, BrokerPorts, server_properties
from driftline.deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

ROOT: Final = "driftline-root"
"""The user of ClickHouse that makes the others."""
GRAFANA, BOARD = "grafana", "board"
ROLES, SERVERS = "roles", ("kafka", "clickhouse", GRAFANA)
FILE: Final = "driftline.toml"
READABLE: Final = 0o444
"""Of the files of servers, which run as users of their own: a folder is mounted for its server alone."""
_OPEN: Final = 0o755
_PASSWORDS: Final = "passwords"
CONTROLLER_PORT, OUTSIDE_PORT, INNER_PORT = 9093, 9094, 9095
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def make_secrets(folder: Path, settings: Settings, mounted: Path) -> list[str]:
    """Make what is not there yet, and give the roles that are new.

    Args:
        folder: where the folders are made.
        settings: how Kafka and ClickHouse are reached by who is given a role.
        mounted: where a process finds the folder of its role.

    Raises:
        AccessError: a folder cannot be written, or others can read it.
    """
    held = folder / ROLES
    files.private_folder(held)
    files.private_folder(held / _PASSWORDS)
    certificates.ensure(held, LOOPBACK, dt.datetime.now(dt.UTC))
    kafka = msgspec.structs.replace(settings.kafka, ssl_ca_location=str(mounted / certificates.AUTHORITY))
    made = files.make(held, msgspec.structs.replace(settings, kafka=kafka))
    authority = (held / certificates.AUTHORITY).read_text()
    for name in (one for one in files.NAMES if one not in SERVERS):
        files.private_folder(folder / name)
        files.write_private(folder / name / FILE, files.file_of(held, name).read_text())
        files.write_private(folder / name / certificates.AUTHORITY, authority)
    for name in SERVERS:
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(_OPEN)
    _board(held, folder / BOARD)
    _kafka(held, folder / "kafka", kafka.bootstrap)
    _clickhouse(held, folder / "clickhouse")
    _grafana(held, folder / GRAFANA)
    return made


def _board(held: Path, folder: Path) -> None:
    """What the board asks people for, and what it asks ClickHouse with."""
    files.write_private(folder / files.BOARD_TOKEN, _password(held, "board-token"))
    files.write_private(folder / "clickhouse.password", files.password_of(held, BOARD, "clickhouse"))


def _kafka(held: Path, folder: Path, bootstrap: str) -> None:
    """The broker's certificate and settings: how it is reached from inside, and from this machine."""
    _give(folder / certificates.file_name("kafka"), (held / certificates.file_name("kafka")).read_text())
    _give(folder / certificates.AUTHORITY, (held / certificates.AUTHORITY).read_text())
    _give(folder / "server.properties", broker_properties(_password(held, BROKER), bootstrap))


def _clickhouse(held: Path, folder: Path) -> None:
    digest = hashlib.sha256(_password(held, ROOT).encode()).hexdigest()
    _give(
        folder / "users.xml",
        f"""<clickhouse>
  <users>
    <default remove="remove"/>
    <{ROOT}>
      <password_sha256_hex>{digest}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </{ROOT}>
  </users>
</clickhouse>
""",
    )


def _grafana(held: Path, folder: Path) -> None:
    _give(folder / "admin.password", _password(held, "grafana-admin"))
    _give(folder / "clickhouse.password", files.password_of(held, GRAFANA, "clickhouse"))


def broker_properties(password: str, bootstrap: str) -> str:
    """The configuration of the one broker of docker-compose.yml.

    Everybody logs in by SCRAM, on CLIENT from inside and on OUTSIDE from this machine. INNER, for the broker itself and
    for who sets users and ACLs, has one user, which is told here: no other is there yet when the broker begins.

    Args:
        password: of that user.
        bootstrap: address of CLIENT.
    """
    host, port = bootstrap.rsplit(":", 1)
    place = Path("/mnt/shared/config")
    access = BrokerAccess(place / certificates.file_name("kafka"), place / certificates.AUTHORITY, password)
    text = server_properties(Path("/var/lib/kafka/data"), BrokerPorts(int(port), CONTROLLER_PORT), access)
    lines = dict(line.split("=", 1) for line in text.splitlines())
    lines |= {
        "listeners": f"CLIENT://:{port},OUTSIDE://:{OUTSIDE_PORT},INNER://:{INNER_PORT},"
        f"CONTROLLER://{LOOPBACK}:{CONTROLLER_PORT}",
        "advertised.listeners": f"CLIENT://{host}:{port},OUTSIDE://{LOOPBACK}:{OUTSIDE_PORT},"
        f"INNER://{host}:{INNER_PORT}",
        "listener.security.protocol.map": ",".join(
            f"{name}:SASL_SSL" for name in ("CLIENT", "OUTSIDE", "INNER", "CONTROLLER")
        ),
        "inter.broker.listener.name": "INNER",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.inner.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.inner.plain.sasl.jaas.config": lines[
            "listener.name.controller.plain.sasl.jaas.config"
        ],
        "listener.name.outside.scram-sha-512.sasl.jaas.config": _SCRAM,
        "listener.name.client.scram-sha-512.sasl.jaas.config": _SCRAM,
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _password(held: Path, name: str) -> str:
    """A password that belongs to no role; made where it is not there yet."""
    path = held / _PASSWORDS / name
    if not path.exists():
        files.write_private(path, files.new_password())
    return path.read_text()


def _give(path: Path, text: str) -> None:
    """Write a file that its server reads; one that is there is replaced as a whole."""
    files.write_private(path, text)
    path.chmod(READABLE)
