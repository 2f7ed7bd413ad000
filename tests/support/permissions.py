"""Who may do what, written by hand from the design: what the matrices of permissions are held against.

Nothing here is derived from the tables of the code: a change there is a change here, by somebody who means it.
"""

from __future__ import annotations

_TOPICS = """
            predictions labels emitter-status profiles windows alerts dead-letter deployment-control deployment-state acks audit checkpoints
admin       -           -      -              -        -       -      -           -                  -                -    -     -
emitter     w           w      w              -        -       -      -           -                  -                -    -     -
drift       r           -      r              r        w       -      -           -                  r                -    -     -
accuracy    r           r      -              r        w       -      -           -                  r                -    -     -
alerts      -           -      r              r        r       rw     -           -                  r                -    -     -
archive     r           r      r              -        r       r      rw          -                  -                r    r     -
controller  -           -      -              rw       r       r      -           r                  rw               r    rw    rw
agent       w           w      w              -        -       -      -           -                  r                w    r     -
witness     -           -      -              -        -       -      -           -                  -                -    r     rw
challenger  rw          -      -              -        -       -      -           -                  -                -    -     -
retrain     -           -      -              -        -       r      -           -                  -                -    -     -
operator    r           r      r              r        r       rw     r           rw                 r                r    r     r
publisher   -           -      -              rw       -       -      -           -                  rw               -    r     r
mender      w           w      w              -        -       -      -           -                  -                -    -     -
replay      r           r      -              r        rw      -      -           -                  r                -    -     -
"""  # noqa: E501 - a table


def _parsed(text: str) -> dict[str, dict[str, str]]:
    head, *rows = [line.split() for line in text.strip().splitlines()]
    assert all(len(row) == len(head) + 1 for row in rows)
    return {name: dict(zip(head, cells, strict=True)) for name, *cells in rows}


TOPICS = _parsed(_TOPICS)
"""Role → topic → `r`, `w`, both, or neither."""

JOINS = {
    "driftline-drift": {"drift"},
    "driftline-accuracy": {"accuracy"},
    "driftline-alerts": {"alerts"},
    "driftline-alerts-to-chat": {"alerts"},
    "driftline-archive": {"archive"},
    "driftline-controller": {"controller"},
    "driftline-challenger-flights-m-2": {"challenger"},
    "driftline-retrain": {"retrain"},
    "somebody-else": set[str](),
}
"""Group → roles that may join it and commit its positions."""

TRANSACTS = {"driftline-controller": {"controller"}, "driftline-drift": set[str](), "other": set[str]()}
"""Transactional id → roles that may use it."""

STATES = {
    "driftline-drift-state-changelog": "drift",
    "driftline-accuracy-state": "accuracy",
    "driftline-alerts-state": "alerts",
}
"""Topic of a worker's own state → the one role that makes, reads and writes it."""

TABLES = (
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
    "schema_migrations",
)
VIEWS = (
    "labels_now",
    "windows_now",
    "figures",
    "emitters_now",
    "adopted_spools_now",
    "dead_letters_now",
    "ledger",
    "alerts_now",
    "audit_gaps",
    "lineage",
    "lineage_now",
    "kept_lookup",
)
_COLD = {
    "predictions", "prediction_lookup", "kept_lookup", "labels", "labels_now", "forgotten", "blocks", "batches",
    "windows", "windows_now",
}  # fmt: skip
_ALL = {*TABLES, *VIEWS}
SELECTS = {
    "admin": _ALL,
    "archive": _ALL,
    "drift": _COLD,
    "accuracy": _COLD,
    "replay": _COLD,
    "mender": {"dead_letters", "dead_letters_now"},
    "operator": _ALL,
    "board": _ALL,
    "grafana": _ALL,
}
"""Role → tables and views that it may read; roles that are not here have no user in ClickHouse."""

INSERTS = {"admin": set(TABLES), "archive": set(TABLES) - {"schema_migrations"}}
"""Role → tables that it may add rows to."""

DELETES = {"admin": set(TABLES), "archive": {"predictions", "labels"}}
"""Role → tables that it may remove rows from."""

SYSTEM = {
    "parts": {"admin", "operator"},
    "mutations": {"admin", "operator", "archive"},
    "processes": set[str](),
    "users": set[str](),
    "grants": set[str](),
    "settings_profiles": set[str](),
    "named_collections": set[str](),
    "disks": {"archive"},
    "merges": set[str](),
}
"""Table of `system` → roles that may read it."""

STORAGE = {"admin", "operator", "board", "grafana"}
"""Roles that may read how large tables are."""
