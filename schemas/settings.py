"""Every setting, typed: from `driftline.toml` and over it from DRIFTLINE_<SECTION>_<FIELD>.

Each field carries, as its description, what values are allowed: errors and the documentation print that text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from driftline.schemas.clients import clickhouse_config, consumer_config, kafka_config, producer_config
from driftline.schemas.settings_board import Board
from driftline.schemas.settings_control import Control
from driftline.schemas.settings_kinds import Bytes, File, FreePort, Text
from driftline.schemas.settings_packages import Packages
from driftline.schemas.settings_serve import Serve
from driftline.schemas.sources import (
    Secret,
    SettingsError,
    convert,
    file_named,
    read_file,
    read_variables,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Alerts",
    "Archive",
    "Board",
    "ClickHouse",
    "Control",
    "Kafka",
    "Local",
    "Operator",
    "Packages",
    "Secret",
    "Serve",
    "Settings",
    "SettingsError",
    "Worker",
    "clickhouse_config",
    "consumer_config",
    "kafka_config",
    "load",
    "producer_config",
]


Meta = msgspec.Meta
Folder = Annotated[str, Meta(description="the path of a folder", pattern=r"\A[^\x00]+\Z")]
Seconds = Annotated[float, Meta(description="a number of seconds above 0, at most 86,400", gt=0, le=86_400)]
Days = Annotated[int, Meta(description="a number of days, 1 to 36,500", ge=1, le=36_500)]


class Kafka(msgspec.Struct, frozen=True, kw_only=True):
    """How every Kafka client reaches the brokers, and how topics are named."""

    bootstrap: Text = "127.0.0.1:9092"
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Meta(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, or nothing"),
    ] = ""
    sasl_username: Annotated[str, Meta(description="a user name, or nothing")] = ""
    sasl_password: Annotated[Secret, Meta(description="a password, or nothing")] = Secret("")
    ssl_ca_location: File = ""
    ssl_certificate_location: File = ""
    ssl_key_location: File = ""
    ssl_key_password: Annotated[Secret, Meta(description="a password, or nothing")] = Secret("")
    topic_prefix: Annotated[
        str,
        Meta(
            description="at most 100 letters, digits, dots, dashes and underscores, or nothing",
            pattern="^[A-Za-z0-9._-]{0,100}$",
        ),
    ] = ""
    partitions: Annotated[int, Meta(description="a number of partitions, 1 to 10,000", ge=1, le=10_000)] = 4
    replication_factor: Annotated[int, Meta(description="a number of copies, 1 to 15", ge=1, le=15)] = 1


class ClickHouse(msgspec.Struct, frozen=True, kw_only=True):
    """How ClickHouse is reached: its HTTP interface, the only one used."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(description="a port, 1 to 65,535", ge=1, le=65_535)] = 8123
    user: Text = "default"
    password: Annotated[Secret, Meta(description="a password, or nothing")] = Secret("")
    database: Annotated[
        str,
        Meta(
            description="a letter or underscore, then letters, digits and underscores",
            pattern="^[A-Za-z_][A-Za-z0-9_]{0,99}$",
        ),
    ] = "driftline"
    cluster: Annotated[
        str,
        Meta(
            description="letters, digits, dashes and underscores, or nothing (one server)",
            pattern="^[A-Za-z0-9_-]{0,100}$",
        ),
    ] = ""
    secure: Annotated[bool, Meta(description="true (HTTPS) or false (HTTP)")] = False
    verify: Annotated[bool, Meta(description="true (check the server's certificate) or false")] = True
    ca: File = ""
    client_certificate: File = ""
    client_key: File = ""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """How stream workers checkpoint, publish and bound themselves."""

    metrics_port: FreePort = 0
    metrics_host: Text = "127.0.0.1"
    checkpoint_seconds: Seconds = 10.0
    checkpoint_bytes: Bytes = 64 << 20
    publish_seconds: Seconds = 10.0
    out_of_orderness_ms: Annotated[
        int, Meta(description="a number of ms, 0 to 86,400,000 (a day)", ge=0, le=86_400_000)
    ] = 60_000
    idle_seconds: Seconds = 15.0
    future_ms: Annotated[
        int, Meta(description="a number of ms, 1,000 to 86,400,000 (a day)", ge=1_000, le=86_400_000)
    ] = 600_000
    hot_windows: Annotated[int, Meta(description="a number of windows, 1 to 1,000", ge=1, le=1_000)] = 3
    label_windows: Annotated[int, Meta(description="a number of windows, 1 to 1,000", ge=1, le=1_000)] = 3
    session_timeout_ms: Annotated[
        int,
        Meta(description="a number of ms, 6,000 to 1,800,000 (what brokers allow)", ge=6_000, le=1_800_000),
    ] = 6_000
    state_bytes: Bytes = 256 << 20
    prefetch_bytes: Bytes = 32 << 20


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are cut into blocks for ClickHouse, and how long they stay."""

    block_rows: Annotated[
        int, Meta(description="a number of rows, 1,000 to 10,000,000", ge=1_000, le=10_000_000)
    ] = 200_000
    block_seconds: Seconds = 1.0
    retention_days: Days = 90
    retention_days_medium: Days = 180
    retention_days_high: Days = 365
    windows_retention_days: Days = 730
    lineage_retention_days: Days = 2_557
    audit_retention_days: Annotated[
        int, Meta(description="a number of days, 190 to 36,500", ge=190, le=36_500)
    ] = 2_557


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts go: the routes that the settings of deployments name, and how often open ones are said again."""

    routes: File = ""
    resend_seconds: Annotated[
        float, Meta(description="a number of seconds, 0.1 to 3,600", ge=0.1, le=3_600)
    ] = 60.0


class Local(msgspec.Struct, frozen=True, kw_only=True):
    """The local stack: where it keeps its data, and which parts of it run elsewhere."""

    data_dir: Folder = ".driftline"
    kafka_port: FreePort = 0
    clickhouse_port: FreePort = 0
    kafka: Annotated[Literal["local", "outside"], Meta(description="local or outside")] = "local"
    clickhouse: Annotated[Literal["local", "outside"], Meta(description="local or outside")] = "local"
    secure: Annotated[bool, Meta(description="true (a user for everybody, ACLs, TLS) or false")] = False


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes things by hand: the name that stands beside each change."""

    name: Annotated[
        str,
        Meta(
            description="at most 200 printable characters, or nothing (the user of the operating system)",
            pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]{0,200}\Z",
        ),
    ] = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, in sections."""

    kafka: Kafka = Kafka()
    clickhouse: ClickHouse = ClickHouse()
    worker: Worker = Worker()
    archive: Archive = Archive()
    alerts: Alerts = Alerts()
    local: Local = Local()
    operator: Operator = Operator()
    control: Control = Control()
    packages: Packages = Packages()
    serve: Serve = Serve()
    board: Board = Board()


def load(env: Mapping[str, str], file: Path | None = None) -> Settings:
    """Settings from a TOML file and, over it, from the environment.

    The file is `file`, else the one DRIFTLINE_CONFIG names, else `driftline.toml` in the working directory if
    there is one. Raises SettingsError (one sentence) for a file that is missing or no TOML, an unknown key or
    variable, a value that is not allowed, or settings that contradict one another.
    """
    sections = {entry.name: entry.type for entry in msgspec.structs.fields(Settings)}
    known = {
        name: {item.name: item for item in msgspec.structs.fields(kind)} for name, kind in sections.items()
    }
    path = file_named(env, file)
    given = read_file(path, known) if path is not None else {}
    given.update(read_variables(env, known))
    values: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for (section, name), source in given.items():
        values[section][name] = convert(source, known[section][name].type)
    settings = Settings(**{name: kind(**values[name]) for name, kind in sections.items()})
    _agree(settings, {key: source.place for key, source in given.items()})
    return settings


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name too long, a folder that may not be looked into
        return False


def _agree(settings: Settings, places: Mapping[tuple[str, str], str]) -> None:
    """Refuse settings that contradict one another, naming where the value came from."""
    kafka = settings.kafka
    sasl = kafka.security_protocol.startswith("SASL_")
    for name in ("sasl_mechanism", "sasl_username", "sasl_password"):
        held = bool(getattr(kafka, name))
        if sasl and not held:
            refuse(places, "kafka", name, f"is needed with security_protocol {kafka.security_protocol}")
        if held and not sasl:
            refuse(
                places,
                "kafka",
                name,
                f"has no effect with security_protocol {kafka.security_protocol}; use SASL_SSL",
            )
    if bool(kafka.ssl_certificate_location) != bool(kafka.ssl_key_location):
        lacking = "ssl_key_location" if kafka.ssl_certificate_location else "ssl_certificate_location"
        refuse(places, "kafka", lacking, "is needed: a client certificate and its key go together")
    if bool(settings.clickhouse.client_certificate) != bool(settings.clickhouse.client_key):
        lacking = "client_key" if settings.clickhouse.client_certificate else "client_certificate"
        refuse(places, "clickhouse", lacking, "is needed: a client certificate and its key go together")
    packages = settings.packages
    if bool(packages.access_key) != bool(packages.secret_key):
        lacking = "secret_key" if packages.access_key else "access_key"
        refuse(places, "packages", lacking, "is needed: the two keys of a store go together")
    for section, part in (
        ("kafka", settings.kafka),
        ("clickhouse", settings.clickhouse),
        ("alerts", settings.alerts),
        ("board", settings.board),
    ):
        for item in msgspec.structs.fields(part):
            path = getattr(part, item.name)
            if item.type is File and path and not _is_file(path):
                refuse(places, section, item.name, f"names {path}, which is no file")
