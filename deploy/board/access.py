"""Access: the user of ClickHouse that the board asks as: it reads driftline's own tables, within bounds, and no more.

`readonly` alone is an open door: such a user reads other databases, fetches addresses with url() and logs in elsewhere
with remote(). What it may is granted here by name, and what it may take stands in its profile, which it cannot change.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

USER: Final = "driftline-board"
PROFILE: Final = "driftline-board"

SETTINGS: Final[Mapping[str, int | str]] = {
    "readonly": 1,
    "max_execution_time": 15,
    "max_result_rows": 50_000,
    "max_result_bytes": 64 << 20,
    "result_overflow_mode": "throw",
    "max_memory_usage": 1 << 30,
    "max_threads": 2,
    "max_concurrent_queries_for_user": 16,
    # A browser that goes away takes its question with it.
    "cancel_http_readonly_queries_on_client_close": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
}
"""What one question may take, and how it is answered; `readonly` 1 keeps a request from changing any of it."""


def grants(database: str) -> tuple[str, ...]:
    """Give what the role may do, as the texts of GRANT without its end.

    Args:
        database: that of driftline's tables.
    """
    return (
        f"GRANT SELECT ON {database}.*",
        # The panel "Storage"; rows of tables that it may not read are not shown to it.
        "GRANT SELECT(active, database, table, rows, bytes_on_disk) ON system.parts",
    )


def statements(database: str, user: str = USER) -> tuple[str, ...]:
    """Give the statements that make the role on a server whose users are made in SQL; its password is left out."""
    limits = ", ".join(f"{name} = {_value(value)}" for name, value in SETTINGS.items())
    return (
        f"CREATE SETTINGS PROFILE IF NOT EXISTS `{PROFILE}` SETTINGS {limits}",
        f"CREATE USER IF NOT EXISTS `{user}` IDENTIFIED WITH sha256_password BY '...' SETTINGS PROFILE `{PROFILE}`",
        *(f"{grant} TO `{user}`" for grant in grants(database)),
    )


def profile_xml() -> str:
    """Give the profile as an element of users.xml."""
    lines = "".join(f"<{name}>{value}</{name}>" for name, value in SETTINGS.items())
    return f"<{PROFILE}>{lines}</{PROFILE}>"


def user_xml(database: str, password: str, network: str) -> str:
    """Give the user as an element of users.xml.

    Args:
        database: that of driftline's tables.
        password: in clear; its digest is what is written.
        network: the address that it may come from.
    """
    digest = hashlib.sha256(password.encode()).hexdigest()
    allowed = "".join(f"<query>{escape(grant)}</query>" for grant in grants(database))
    return (
        f"<{USER}><password_sha256_hex>{digest}</password_sha256_hex><networks><ip>{escape(network)}</ip></networks>"
        f"<profile>{PROFILE}</profile><quota>default</quota><grants>{allowed}</grants></{USER}>"
    )


def _value(value: int | str) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
