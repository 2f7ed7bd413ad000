"""Clustered: a statement about tables as a cluster of replicas takes it; migrations are written for one server.

Every replica holds every row (one shard): tables are made on all servers at once, `ON CLUSTER`, with replicated engines
whose places in Keeper are those of the server's own defaults (`default_replica_path`).
"""

from __future__ import annotations

import re
from typing import Final

DEDUPLICATION_SECONDS: Final = 30 * 86_400
"""How long a replicated table knows a block again: one server's tables go by the number of blocks alone."""
_ON: Final = re.compile(
    r"\b(?P<what>CREATE DATABASE IF NOT EXISTS|CREATE TABLE IF NOT EXISTS|CREATE VIEW IF NOT EXISTS"
    r"|CREATE OR REPLACE VIEW|CREATE VIEW|DROP VIEW IF EXISTS|ALTER TABLE|TRUNCATE TABLE IF EXISTS"
    r"|DROP TABLE IF EXISTS)"
    r"\s+(?P<name>`(?:[^`\\]|\\.)+`|\w+)"
)
_ENGINE: Final = re.compile(r"\bENGINE = (?P<kind>(?:Replacing)?MergeTree)\b")
_WINDOW: Final = re.compile(r"\bnon_replicated_deduplication_window = (?P<blocks>\d+)")
_COMMENT: Final = re.compile(r"^\s*--.*\n?", re.MULTILINE)


def clustered(statement: str, cluster: str) -> str:
    """Give a statement of a migration as the servers of a cluster take it; unchanged without a cluster.

    Args:
        statement: CREATE, ALTER, TRUNCATE or DROP of a database, table or view; anything else is the same everywhere.
        cluster: its name in the servers' configuration, or nothing.

    >>> clustered("DROP TABLE IF EXISTS lineage", "main")
    'DROP TABLE IF EXISTS lineage ON CLUSTER `main` SYNC'
    """
    if not cluster:
        return statement
    text = _ON.sub(rf"\g<what> \g<name> ON CLUSTER `{cluster}`", _COMMENT.sub("", statement), count=1)
    text = _ENGINE.sub(r"ENGINE = Replicated\g<kind>", text)
    text = _WINDOW.sub(
        r"replicated_deduplication_window = \g<blocks>, "
        f"replicated_deduplication_window_seconds = {DEDUPLICATION_SECONDS}",
        text,
    )
    # Its place in Keeper is free at once, for a second run that makes the table again.
    return f"{text} SYNC" if text.startswith("DROP TABLE") else text
