"""Forgetting: inputs and labels of predictions that audited commands name are removed; their lineage stays.

What is in Kafka yet, or comes again out of a spool, is removed once it has been stored too: what was to be forgotten is
looked for again and again. Rows are rewritten without it, not only hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.streams.clickhouse.client import Client

FORGOTTEN: Final = "forgotten"
"""State of a dead letter whose message was removed."""
AT_ONCE: Final = 50
"""Predictions that dead letters are searched for in one pass; a search takes at most 255 texts."""
_SHORT_CHARS: Final = 8
_NAMED: Final = "SELECT deployment, prediction_id FROM forgotten"
_PLACES: Final = {
    "predictions": "(deployment, ts, prediction_id) IN (SELECT deployment, ts, prediction_id FROM prediction_lookup "
    f"WHERE (deployment, prediction_id) IN ({_NAMED}))",
    "labels": f"(deployment, prediction_id) IN ({_NAMED})",
}


@dataclass(slots=True)
class Seen:
    """What dead letters were searched before, so that they are searched again only when there is something new."""

    mark: tuple[object, ...] = ()


def forget(client: Client, seen: Seen) -> dict[str, int]:
    """Remove what is to be forgotten and is there; give the rows that are being removed, by table.

    ClickHouse removes them in its own time; while it does, nothing more is asked of the table.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    if not client.query("SELECT 1 AS one FROM forgotten LIMIT 1"):
        return {}
    busy = _busy(client)
    found = {}
    for table, where in _PLACES.items():
        if table in busy:
            continue
        rows = int(client.query(f"SELECT count() AS n FROM {table} WHERE {where}")[0]["n"])
        if rows:
            client.command(f"ALTER TABLE {table} DELETE WHERE {where}")
            found[table] = rows
    if "dead_letters" not in busy:
        letters = _letters(client, seen)
        if letters:
            found["dead_letters"] = letters
    return found


def needles(prediction_id: bytes, target: str) -> tuple[bytes, ...]:
    r"""Give what a message that holds a prediction has in it: its id, and the text that was asked for.

    A short text is looked for as Avro writes it, with its length before it.

    >>> needles(bytes(16), "7")[1]
    b'\x027'
    """
    text = target.encode("utf-8", "surrogatepass")
    return prediction_id, text if len(text) >= _SHORT_CHARS else bytes([2 * len(text)]) + text


def _letters(client: Client, seen: Seen) -> int:
    marks = client.query(
        "SELECT (SELECT count() FROM dead_letters) AS letters, (SELECT max(arrived) FROM dead_letters) AS newest, "
        "(SELECT count() FROM forgotten) AS named"
    )[0]
    mark = tuple(marks.values())
    if mark == seen.mark:
        return 0
    asked = client.query("SELECT lower(hex(prediction_id)) AS id, target FROM forgotten FINAL ORDER BY seq")
    removed = 0
    for part in _parts([needles(bytes.fromhex(row["id"]), row["target"]) for row in asked]):
        texts = ", ".join(f"unhex('{one.hex()}')" for one in part)
        where = f"state != '{FORGOTTEN}' AND multiSearchAny(ifNull(value, ''), [{texts}])"
        rows = int(client.query(f"SELECT count() AS n FROM dead_letters WHERE {where}")[0]["n"])
        if rows:
            client.command(
                f"ALTER TABLE dead_letters UPDATE state = '{FORGOTTEN}', value = NULL, key = NULL, headers = [], "
                f"detail = 'it held a prediction that was to be forgotten' WHERE {where}"
            )
            removed += rows
    seen.mark = mark
    return removed


def _parts(asked: Sequence[tuple[bytes, ...]]) -> Iterator[list[bytes]]:
    for start in range(0, len(asked), AT_ONCE):
        yield sorted({one for each in asked[start : start + AT_ONCE] for one in each})


def _busy(client: Client) -> set[str]:
    rows = client.query(
        "SELECT DISTINCT table AS name FROM system.mutations WHERE database = currentDatabase() AND NOT is_done"
    )
    return {str(row["name"]) for row in rows}
