"""Who may do what in ClickHouse: one table of roles, from which users, grants and limits are made.

Nobody may do what does not stand here: no role has url(), remote(), file(), s3(), dictionaries or another database.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.streams.clickhouse.migrate import quoted
from driftline.streams.clickhouse.retention import AUDIT, DECISIONS, EVENTS, KEPT, LINEAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ADMIN: Final = "admin"
BOARD: Final = "board"
ENGINES: Final = ("MergeTree", "ReplacingMergeTree")
"""Of the tables that migrations make."""
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query of a role may take.

    Attributes:
        readonly: 1 takes no setting from the client, 2 takes those that keep below the limits, 0 also writes.
        seconds: of one query.
        memory_bytes: of one query.
        result_rows: of one answer; 0 is any number.
        at_once: queries of the user at a time.
        more: further settings of ClickHouse, which no client changes.
    """

    readonly: int
    seconds: int
    memory_bytes: int
    result_rows: int = 0
    at_once: int = 64
    more: Mapping[str, int] = field(default_factory=dict)


WRITING: Final = Limits(0, 21_600, 3 * _GIB)
WORKING: Final = Limits(0, 600, 3 * _GIB)
LOOKING: Final = Limits(2, 600, 3 * _GIB)
SHOWING: Final = Limits(2, 30, _GIB, result_rows=1_000_000, at_once=16)
PAGE: Final = Limits(
    1,
    15,
    _GIB,
    result_rows=50_000,
    at_once=16,
    more={
        "max_result_bytes": 64 << 20,
        "max_threads": 2,
        # A browser that goes away takes its question with it.
        "cancel_http_readonly_queries_on_client_close": 1,
        "output_format_json_quote_64bit_integers": 0,
        "output_format_json_quote_denormals": 0,
    },
)
"""Of the board: what a browser asks takes no more, and is answered in one way."""


@dataclass(frozen=True, slots=True)
class ClickHouseRole:
    """One kind of process or person, with a user of its own.

    Attributes:
        name: of the role; the user is `<database>-<name>`.
        about: who that is.
        grants: privilege -> tables of the database, "*" for all.
        system: tables of `system` that it may read beside those that everybody may -> their columns, () for all.
        limits: of its queries.
    """

    name: str
    about: str
    grants: Mapping[str, tuple[str, ...]]
    system: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limits: Limits = WORKING


_FACTS: Final = (
    "predictions",
    "labels",
    "labels_now",
    "prediction_lookup",
    "kept_lookup",
    "forgotten",
    "blocks",
    "batches",
)
_WINDOWS: Final = ("windows", "windows_now")
_WRITTEN: Final = (
    "predictions",
    "prediction_lookup",
    "labels",
    "windows",
    "emitters",
    "adopted_spools",
    "dead_letters",
    "batches",
    "blocks",
    "alerts",
    "advice",
    "audit",
    "acks",
    "forgotten",
    "audit_followed",
)
"""Tables whose rows come from the log."""
_COLD: Final = {"SELECT": (*_FACTS, *_WINDOWS)}
"""What a window is counted again from."""

_STORAGE: Final = {"parts": ("active", "database", "table", "rows", "bytes_on_disk")}
"""What the panel "Storage" reads; rows of tables that a role may not read are not shown to it."""

_MIGRATES: Final = (
    "SELECT", "INSERT", "ALTER", "CREATE DATABASE", "CREATE TABLE", "CREATE VIEW", "DROP", "TRUNCATE", "OPTIMIZE",
)  # fmt: skip

ROLES: Final = (
    ClickHouseRole(
        ADMIN,
        "migrations: 'driftline migrate', the supervisor of 'driftline up'",
        dict.fromkeys(_MIGRATES, ("*",)),
        system={"mutations": (), "parts": ()},
        limits=WRITING,
    ),
    ClickHouseRole(
        "archive",
        "'driftline worker archive'",
        {
            "SELECT": ("*",),
            "INSERT": _WRITTEN,
            "ALTER DELETE": ("predictions", "labels"),
            "ALTER UPDATE": ("dead_letters",),
            "ALTER TTL": tuple(sorted((*EVENTS, *DECISIONS, *LINEAGE, *AUDIT))),
            "ALTER SETTINGS": tuple(sorted((*EVENTS, *DECISIONS, *LINEAGE, *AUDIT))),
            "CREATE VIEW": (KEPT,),
            "DROP VIEW": (KEPT,),
        },
        system={"disks": (), "mutations": ()},
    ),
    ClickHouseRole("drift", "'driftline worker drift': windows that are cold", _COLD, limits=LOOKING),
    ClickHouseRole("accuracy", "'driftline worker accuracy': windows that are cold", _COLD, limits=LOOKING),
    ClickHouseRole("replay", "'driftline replay'", _COLD, limits=LOOKING),
    ClickHouseRole(
        "mender",
        "'driftline dead-letter'",
        {"SELECT": ("dead_letters", "dead_letters_now")},
        limits=LOOKING,
    ),
    ClickHouseRole(
        "operator",
        "people at the command line",
        {"SELECT": ("*",)},
        system={"mutations": (), "parts": ()},
        limits=LOOKING,
    ),
    ClickHouseRole(BOARD, "the board", {"SELECT": ("*",)}, system=_STORAGE, limits=PAGE),
    ClickHouseRole("grafana", "Grafana", {"SELECT": ("*",)}, system=_STORAGE, limits=SHOWING),
)


def role(name: str) -> ClickHouseRole:
    """The role of that name."""
    return next(one for one in ROLES if one.name == name)


def user_of(name: str, database: str) -> str:
    """The name of a role's user."""
    return f"{database}-{name}"


def granted(of: ClickHouseRole, database: str) -> Iterator[str]:
    """What a role may do, each as it stands between GRANT and TO.

    >>> list(granted(ROLES[5], "driftline"))
    ['SELECT ON `driftline`.`dead_letters`', 'SELECT ON `driftline`.`dead_letters_now`']
    """
    for privilege, tables in of.grants.items():
        for table in tables:
            yield f"{privilege} ON {quoted(database)}.{table if table == '*' else quoted(table)}"
    for table, columns in of.system.items():
        some = f"({', '.join(columns)})" if columns else ""
        yield f"SELECT{some} ON system.{table}"
    if of.name == ADMIN:
        yield from (f"TABLE ENGINE ON {engine}" for engine in ENGINES)


def settings_of(limits: Limits) -> Iterator[tuple[str, int, bool]]:
    """The settings of a role: name, value, and whether a client may set it lower (never to 0, which is no limit)."""
    yield "readonly", limits.readonly, False
    yield "max_execution_time", limits.seconds, True
    yield "max_memory_usage", limits.memory_bytes, True
    if limits.result_rows:
        yield "max_result_rows", limits.result_rows, True
    yield "max_concurrent_queries_for_user", limits.at_once, True
    yield from ((name, value, False) for name, value in limits.more.items())


def digest_of(password: str) -> str:
    """What ClickHouse keeps of a password: SHA-256 in hexadecimal digits; ours are random, and need no salt."""
    return hashlib.sha256(password.encode()).hexdigest()


def statements(of: ClickHouseRole, database: str, digest: str) -> Iterator[str]:
    """The SQL that makes a role's user, or makes it again as it should be.

    Args:
        of: the role.
        database: of the tables.
        digest: of the user's password, see `digest_of`.
    """
    user = quoted(user_of(of.name, database))
    settings = ", ".join(
        f"{name} = {value}" + (f" MIN 1 MAX {value}" if may_lower else " CONST")
        for name, value, may_lower in settings_of(of.limits)
    )
    yield f"CREATE SETTINGS PROFILE OR REPLACE {user} SETTINGS {settings}"
    yield f"CREATE USER IF NOT EXISTS {user}"
    yield (
        f"ALTER USER {user} IDENTIFIED WITH sha256_hash BY '{digest}' "
        f"DEFAULT ROLE NONE SETTINGS PROFILE {user}"
    )
    yield f"GRANT {', '.join(granted(of, database))} TO {user} WITH REPLACE OPTION"
