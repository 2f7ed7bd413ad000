"""Retention: how long each table keeps a row, counted from its arrival; a setting, so no migration holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.schemas.settings import Archive
    from driftline.streams.clickhouse.client import Client

# Table → the column that says when the row came. The books of emitters are small and stay.
EVENTS: Final = {
    "predictions": "arrived",
    "prediction_lookup": "arrived",
    "labels": "arrived",
    "dead_letters": "arrived",
    "batches": "arrived",
    "blocks": "written_at",
}
# The history of what was decided is kept longer than the events behind it.
DECISIONS: Final = {"windows": "arrived", "alerts": "arrived", "advice": "arrived"}


def clause(column: str, days: int) -> str:
    """Give the TTL expression of a table.

    >>> clause("arrived", 90)
    'toDateTime(arrived) + toIntervalDay(90)'
    """
    return f"toDateTime({column}) + toIntervalDay({days})"


def apply(client: Client, archive: Archive) -> list[str]:
    """Set the retention of every table to the settings; give the tables that were changed.

    Old parts are not rewritten at once: they take the new rule when they are next merged.
    """
    wanted = {table: clause(column, archive.retention_days) for table, column in EVENTS.items()}
    wanted |= {table: clause(column, archive.windows_retention_days) for table, column in DECISIONS.items()}
    rows = client.query(
        "SELECT name, create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND name IN {names:Array(String)}",
        {"names": list(wanted)},
    )
    changed = []
    for row in rows:
        table = str(row["name"])
        if f"TTL {wanted[table]}" in str(row["create_table_query"]):
            continue
        client.command(
            f"ALTER TABLE {table} MODIFY TTL {wanted[table]} SETTINGS materialize_ttl_after_modify = 0"
        )
        changed.append(table)
    return changed
