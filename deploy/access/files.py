"""Role files: one settings file a role, with its users and random passwords, readable by its owner and nobody else.

A process is given its role by the variable DRIFTLINE_CONFIG, which names its file: no password is an argument.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.agents.private import OTHERS, make_private
from driftline.schemas import access
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import Kafka, Secret, Settings
from driftline.schemas.sources import read_document
from driftline.streams.clickhouse import users

if TYPE_CHECKING:
    from collections.abc import Iterable

BOARD_TOKEN: Final = "board.token"  # noqa: S105 - the name of its file
"""File of the token that the board asks people for."""
MECHANISM: Final = "SCRAM-SHA-512"
_SECRET_BYTES: Final = 32
_SECURITY: Final = (
    "security_protocol",
    "sasl_mechanism",
    "sasl_username",
    "sasl_password",
    "ssl_ca_location",
)
_ACCESS: Final = ("secure", "verify", "ca", "user", "password")
_SHARED: Final = ("topic_prefix", "partitions", "replication_factor")
IN_KAFKA: Final = tuple(role.name for role in access.ROLES)
IN_CLICKHOUSE: Final = tuple(role.name for role in users.ROLES)
NAMES: Final = tuple(dict.fromkeys((*IN_KAFKA, *IN_CLICKHOUSE)))
"""Every role, of Kafka, of ClickHouse, or of both."""


class AccessError(DriftlineError):
    """A role file is missing, open to others or damaged, or a cluster does not take users."""


def new_password() -> str:
    """43 characters of the system's randomness."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def file_of(folder: Path, name: str) -> Path:
    """The settings file of a role."""
    return folder / f"{name}.toml"


def make(folder: Path, settings: Settings, again: Iterable[str] = ()) -> list[str]:
    """Make the files of roles that have none; give their names.

    A file that is there keeps its passwords, and its addresses are set to those of the settings.

    Args:
        folder: made with mode 0700 where there is none.
        settings: addresses, security and prefix, without users.
        again: roles whose passwords are made anew.

    Raises:
        AccessError: the folder is open to others, or cannot be written.
    """
    private_folder(folder)
    made = []
    for name in NAMES:
        path, renewed = file_of(folder, name), name in set(again)
        held = {} if renewed or not path.exists() else read_private(path)
        if not held:
            made.append(name)
        write_private(path, _text(name, _sections(name, settings, held)))
    return made


def with_role(settings: Settings, folder: Path, name: str) -> Settings:
    """The settings with a role's users, passwords and security, and otherwise as they are.

    One that has no user of Kafka is told nothing of how Kafka is secured: security without a user is a contradiction.

    Raises:
        AccessError: there is no such file, others can read it, or it is damaged.
    """
    held = read_private(file_of(folder, name))
    try:
        bare = {} if name in IN_KAFKA else {field: getattr(Kafka(), field) for field in _SECURITY}
        kafka = _over(msgspec.structs.replace(settings.kafka, **bare), held.get("kafka", {}), _SECURITY)
        clickhouse = _over(settings.clickhouse, held.get("clickhouse", {}), _ACCESS)
    except msgspec.ValidationError as error:
        raise AccessError(
            f"{file_of(folder, name)} is damaged ({error}): remove it and make it again"
        ) from error
    return msgspec.structs.replace(settings, kafka=kafka, clickhouse=clickhouse)


def password_of(folder: Path, name: str, section: str) -> str:
    """The password of a role in Kafka (`kafka`) or ClickHouse (`clickhouse`).

    Raises:
        AccessError: there is no such file, others can read it, or it holds none.
    """
    path = file_of(folder, name)
    found = (
        read_private(path).get(section, {}).get("password" if section == "clickhouse" else "sasl_password")
    )
    if not isinstance(found, str) or not found:
        raise AccessError(f"{path} holds no password for {section}: remove it and make it again")
    return found


def private_folder(folder: Path) -> None:
    """Make a folder that is of this user alone; raises AccessError for one that others can reach."""
    try:
        is_private = make_private(folder)
    except OSError as error:
        raise AccessError(f"the folder {str(folder)!r} cannot be made: {error.strerror}") from error
    if not is_private:
        raise AccessError(
            f"the folder {str(folder)!r} is not private: chmod 700 {str(folder)!r}, as its owner"
        )


def write_private(path: Path, text: str) -> None:
    """Put a file in its place, whole, which its owner alone may read; raises AccessError where that fails."""
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise AccessError(f"{path} cannot be written: {error.strerror}") from error


def read_private(path: Path) -> dict[str, Any]:
    """The tables of a role file; raises AccessError for one that is missing or that others can read."""
    try:
        found = path.stat()
    except OSError as error:
        raise AccessError(
            f"the role file {path} cannot be read ({error.strerror}): "
            f"'driftline access new {path.parent}' makes what is missing"
        ) from error
    if found.st_mode & OTHERS:
        raise AccessError(f"the role file {path} can be read by others: chmod 600 {path}, and make it again")
    return read_document(path)


def _sections(name: str, settings: Settings, held: dict[str, Any]) -> dict[str, dict[str, Any]]:
    kafka, clickhouse = settings.kafka, settings.clickhouse
    sections: dict[str, dict[str, Any]] = {"kafka": {field: getattr(kafka, field) for field in _SHARED}}
    if name in IN_KAFKA:
        is_sasl = kafka.security_protocol.startswith("SASL_")
        sections["kafka"] |= {
            "bootstrap": kafka.bootstrap,
            "security_protocol": kafka.security_protocol if is_sasl else "SASL_SSL",
            "sasl_mechanism": kafka.sasl_mechanism or MECHANISM,
            "sasl_username": access.user_of(name, kafka.topic_prefix),
            "sasl_password": held.get("kafka", {}).get("sasl_password") or new_password(),
            "ssl_ca_location": kafka.ssl_ca_location,
        }
    if name in IN_CLICKHOUSE:
        sections["clickhouse"] = {
            "host": clickhouse.host,
            "port": clickhouse.port,
            "database": clickhouse.database,
            "secure": clickhouse.secure,
            "verify": clickhouse.verify,
            "ca": clickhouse.ca,
            "user": users.user_of(name, clickhouse.database),
            "password": held.get("clickhouse", {}).get("password") or new_password(),
        }
    return sections


def _text(name: str, sections: dict[str, dict[str, Any]]) -> str:
    """A role file as TOML; text, numbers and booleans of JSON are such of TOML."""
    lines = [f"# driftline: the users of the role {name!r}. Private: DRIFTLINE_CONFIG names it to a process."]
    for section, fields in sections.items():
        given = {field: value for field, value in fields.items() if value != ""}
        lines += ["", f"[{section}]", *(f"{field} = {json.dumps(value)}" for field, value in given.items())]
    return "\n".join(lines) + "\n"


def _over(part: Any, held: dict[str, Any], names: Iterable[str]) -> Any:  # noqa: ANN401 - a section of settings
    kinds = {field.name: field.type for field in msgspec.structs.fields(part)}
    given = {
        name: Secret(held[name])
        if isinstance(getattr(part, name), Secret)
        else msgspec.convert(held[name], kinds[name])
        for name in names
        if name in held
    }
    return msgspec.structs.replace(part, **given)
