"""What the demo found, read back from ClickHouse: the books, the drift by month, and whether it adds up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.deploy.demo.told import unheard
from driftline.streams.clickhouse import reads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.emit.ledger import Book
    from driftline.schemas.settings import Settings

MONTH = "1M"
KINDS = ("drift", "prediction")


def drift_by_month(settings: Settings, deployment: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Read the PSI of every feature and of the score, month by month.

    Returns:
        Month (`2013-04`, UTC) -> feature -> `psi`, `verdict`, `rows`, `reason`, `threshold` (the greatest of
        the three it had to exceed) and `kind` (`drift`, or `prediction` for the score).

    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in reads.windows(settings, deployment, reads.WindowFilter(resolution=MONTH, metric="psi")):
        if row["kind"] not in KINDS or row["verdict"] is None or row["segment"]:
            continue
        given = [limit for limit in row["thresholds"].values() if limit is not None]
        month = f"{row['window_start']:%Y-%m}"
        found.setdefault(month, {})[row["feature"]] = {
            "psi": row["value"],
            "verdict": row["verdict"],
            "rows": row["rows"],
            "reason": row["reason"],
            "threshold": max(given) if given else None,
            "kind": row["kind"],
            "final": row["final"],
        }
    return found


def ledger(book: Book) -> dict[str, Any]:
    """Give the emitter's books for the summary: `dropped` is the sum of `dropped_by_reason`."""
    return {
        "enqueued": book.enqueued,
        "delivered": book.delivered,
        "dropped": sum(book.dropped.values()),
        "spooled": book.spooled,
        "in_flight": book.in_flight,
        "dropped_by_reason": dict(book.dropped),
    }


def faults(summary: Mapping[str, Any]) -> list[str]:
    """Say in sentences what does not add up: rows that differ, or alerts that were not told."""
    emitted, book = summary["events_emitted"], summary["emitter"]
    found = []
    if book["enqueued"] != emitted:
        found.append(f"{emitted:,} events were given to the emitter, which counted {book['enqueued']:,}")
    if book["delivered"] != emitted:
        found.append(f"{emitted:,} events were emitted, {book['delivered']:,} were delivered")
    if summary["events_in_clickhouse"] != emitted:
        found.append(
            f"{emitted:,} events were emitted, {summary['events_in_clickhouse']:,} are in ClickHouse"
        )
    if summary["dead_letters"]:
        found.append(f"{summary['dead_letters']:,} messages were refused as dead letters")
    if not summary["drift"]:
        found.append("no month has a verdict")
    if not summary["advice"]:
        found.append("no month has advice")
    return found + unheard(summary["alerts"]) + _unproved(summary)


def _unproved(summary: Mapping[str, Any]) -> list[str]:
    """Say in sentences what of the change was not as promised."""
    audit, found = summary["audit"], []
    if summary["failed_requests"]:
        why = "; ".join(summary["change"]["failures"][:1])
        found.append(f"{summary['failed_requests']:,} of {summary['requests']:,} requests failed: {why}")
    if audit["fault"] is not None or audit["verified"] != audit["records"]:
        found.append(f"the audit is not verified: {audit['fault']}")
    if not audit["witnessed"]:
        found.append("no witness has signed the audit, so nothing outside of it vouches for it")
    if audit["tampered_found_at"] != audit["tampered_at"]:
        found.append(
            f"record {audit['tampered_at']} was changed in the copy of the audit, and {audit['tampered_found_at']} is "
            "what verification names"
        )
    return found
