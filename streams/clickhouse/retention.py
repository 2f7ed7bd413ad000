"""Retention: how long each table keeps a row, counted from its arrival; a setting, so no migration holds it.

Predictions and labels of a deployment whose models are of greater risk stay longer; the audit says how great it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.streams.clickhouse.clustered import clustered
from driftline.streams.clickhouse.errors import ClickHouseAwayError, ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.settings import Archive
    from driftline.streams.clickhouse.client import Client

# Table → the column that says when the row came. The books of emitters are small and stay.
EVENTS: Final = {
    "predictions": "arrived",
    "labels": "arrived",
    "dead_letters": "arrived",
    "batches": "arrived",
    "blocks": "written_at",
    "acks": "arrived",
}
# Whose rows stay by the risk of their deployment.
BY_TIER: Final = ("predictions", "labels")
# The history of what was decided is kept longer than the events behind it.
DECISIONS: Final = {"windows": "arrived", "alerts": "arrived", "advice": "arrived"}
LINEAGE: Final = {"prediction_lookup": "arrived", "forgotten": "arrived"}
AUDIT: Final = {"audit": "arrived"}
AGES_ALONE: Final = "materialize_ttl_recalculate_only = 1"
"""The setting by which a table writes only what its parts know of their age when its rule changes."""
KEPT: Final = "kept_lookup"
"""The view of `prediction_lookup` without what retention takes from `predictions`."""


def clause(column: str, days: int, longer: Mapping[int, list[str]] | None = None) -> str:
    """Give the TTL expression of a table.

    Args:
        column: when a row came.
        days: how long it stays.
        longer: days to the deployments whose rows stay so long instead.

    >>> clause("arrived", 90)
    'toDateTime(arrived) + toIntervalDay(90)'
    >>> clause("arrived", 90, {365: ["fraud"]})
    "toDateTime(arrived) + toIntervalDay(multiIf(deployment IN ('fraud'), 365, 90))"
    """
    cases = [
        f"deployment IN ({', '.join(_text(one) for one in sorted(names))}), {kept}"
        for kept, names in sorted((longer or {}).items(), reverse=True)
    ]
    kept = f"multiIf({', '.join(cases)}, {days})" if cases else str(days)
    return f"toDateTime({column}) + toIntervalDay({kept})"


def longer(archive: Archive, tiers: Mapping[str, str]) -> dict[int, list[str]]:
    """Give the deployments whose events stay longer than others', by days; pure.

    Args:
        archive: the settings.
        tiers: deployment → `low`, `medium` or `high`.
    """
    of_tier = {"medium": archive.retention_days_medium, "high": archive.retention_days_high}
    found: dict[int, list[str]] = {}
    for deployment, tier in tiers.items():
        days = of_tier.get(tier, 0)
        if days > archive.retention_days:
            found.setdefault(days, []).append(deployment)
    return found


def apply(client: Client, archive: Archive) -> list[str]:
    """Set the retention of every table, and of the view `kept_lookup`, to the settings; give those that were changed.

    Old parts learn of a new rule at once: one whose rows came together would go as a whole when the rule of then says
    so. Only what a part knows of its age is written anew.

    Raises:
        ClickHouseError: one was refused; those after it have theirs all the same.
        ClickHouseAwayError: one was not answered; those after it are left for the next time.
    """
    kept = longer(archive, _tiers(client))
    wanted = {
        table: clause(column, archive.retention_days, kept if table in BY_TIER else None)
        for table, column in EVENTS.items()
    }
    wanted |= {table: clause(column, archive.windows_retention_days) for table, column in DECISIONS.items()}
    # No prediction is forgotten by id while its inputs are there.
    years = max(archive.lineage_retention_days, archive.retention_days, *kept)
    wanted |= {table: clause(column, years) for table, column in LINEAGE.items()}
    wanted |= {table: clause(column, archive.audit_retention_days) for table, column in AUDIT.items()}
    wanted[KEPT] = _kept(archive, kept)
    rows = client.query(
        "SELECT name, create_table_query FROM system.tables "
        "WHERE database = currentDatabase() AND name IN {names:Array(String)}",
        {"names": list(wanted)},
    )
    told = {str(row["name"]): str(row["create_table_query"]) for row in rows}
    # It is not there where an archive was killed when it had dropped it.
    view = told.pop(KEPT, "")
    changes = {
        table: _rule(table, wanted[table], drops_whole=not kept)
        for table, now in told.items()
        if AGES_ALONE not in now or f"TTL {_as_told(client, wanted[table])} " not in f"{now} "
    }
    if f"WHERE {_as_told(client, wanted[KEPT])} " not in f"{view} ":
        changes[KEPT] = _view(wanted[KEPT], is_there=bool(view))
    refused: ClickHouseError | None = None
    for table, statements in changes.items():
        whole = [clustered(statement, client.settings.cluster) for statement in statements]
        try:
            for statement in whole:
                client.command(statement)
        except ClickHouseAwayError:
            if table == KEPT:
                # A server of a cluster that is away drops it once it is back: the others have none until it is made.
                client.command(whole[-1])
            raise
        except ClickHouseError as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return list(changes)


def _view(condition: str, *, is_there: bool) -> tuple[str, ...]:
    """What makes the view anew: CREATE OR REPLACE takes the right to drop tables of any name.

    Who reads in between is refused once.
    """
    made = (
        f"CREATE VIEW IF NOT EXISTS {KEPT} AS SELECT deployment, prediction_id, ts, model_version, slot, "
        f"src_partition, src_offset, arrived FROM prediction_lookup WHERE {condition}"
    )
    return (f"DROP VIEW IF EXISTS {KEPT} SYNC", made) if is_there else (made,)


def _rule(table: str, rule: str, *, drops_whole: bool) -> tuple[str, ...]:
    """What gives a table its rule; `drops_whole` where parts of events go as a whole."""
    # A part holds rows of several deployments: those that go first must not wait for those that stay.
    whole = f", ttl_only_drop_parts = {int(drops_whole)}" if table in BY_TIER else ""
    return (
        f"ALTER TABLE {table} MODIFY SETTING {AGES_ALONE}{whole}",
        f"ALTER TABLE {table} MODIFY TTL {rule} SETTINGS materialize_ttl_after_modify = 1",
    )


def _kept(archive: Archive, kept: Mapping[int, list[str]]) -> str:
    """Give the condition on rows that are kept; its first part alone tells which months need not be read."""
    most = max((archive.retention_days, *kept))
    return f"arrived > now() - toIntervalDay({most}) AND {clause('arrived', archive.retention_days, kept)} > now()"


def _as_told(client: Client, expression: str) -> str:
    """Give an expression as ClickHouse writes it, with its own quotes and brackets."""
    row = client.query(
        "SELECT formatQuerySingleLine({text:String}) AS text", {"text": f"SELECT {expression}"}
    )[0]
    return str(row["text"]).removeprefix("SELECT ")


def _tiers(client: Client) -> dict[str, str]:
    rows = client.query(
        "SELECT deployment, argMax(tier, seq) AS newest FROM audit WHERE tier != '' GROUP BY deployment"
    )
    return {str(row["deployment"]): str(row["newest"]) for row in rows}


def _text(name: str) -> str:
    """Quote a text for SQL; names of deployments come from the audit's copy, which anybody may have written."""
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"
