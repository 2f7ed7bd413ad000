"""`driftline audit tail`: the last records, and those that come."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Final

import click

from driftline.deploy.cli.audit_source import settings_of_stack
from driftline.deploy.cli.output import json_option

if TYPE_CHECKING:
    from driftline.agents.audit.record import AuditRecord

MOST: Final = 10_000
MOST_CHARS: Final = 10_000
"""Of a line: a record has up to a megabyte."""
_POLL_S: Final = 0.5


@click.command("tail")
@click.option("--last", type=click.IntRange(0, MOST), default=20, show_default=True, help="So many records.")
@click.option("--follow", is_flag=True, help="Go on with those that come, until Ctrl-C.")
@click.option("--deployment", metavar="NAME", help="Only records about this deployment.")
@click.option("--event", metavar="NAME", help="Only records of this event.")
@json_option
def tail(last: int, follow: bool, deployment: str | None, event: str | None, as_json: bool) -> None:
    """Show the last records of the audit, oldest first, each held against the one before it.

    With --json each line is the record as it lies in Kafka. One that cannot be read, or does not follow, is told on
    stderr; whether all of it is as it was written, `driftline audit verify` says.
    """
    from driftline.agents.audit.topic import Reader

    show = _Shown(deployment, event, as_json=as_json)
    # Markers of transactions lie between the records: four times as many messages hold enough of them.
    back = None if deployment or event else 4 * last + 100
    with closing(Reader(settings_of_stack().kafka, last=back)) as reader:
        kept: deque[tuple[str, str]] = deque(maxlen=last)
        for data in reader.to_the_end():
            kept.extend(show.lines(data))
        for line, warning in kept:
            _say(line, warning)
        while follow:
            for data in reader.read(_POLL_S):
                for line, warning in show.lines(data):
                    _say(line, warning)


class _Shown:
    """Turns records into lines, and sees whether each follows the one before it."""

    def __init__(self, deployment: str | None, event: str | None, *, as_json: bool) -> None:
        self._deployment, self._event, self._as_json = deployment, event, as_json
        self._next: tuple[int, str] | None = None

    def lines(self, data: bytes) -> list[tuple[str, str]]:
        """Give a record's line and what is to be said beside it; nothing for one that was not asked for."""
        from driftline.agents.audit.errors import AuditError
        from driftline.agents.audit.record import AuditRecord, digest

        expected = self._next
        try:
            record = AuditRecord.from_bytes(data)
        except AuditError as error:
            self._next = None
            return [("", f"a record cannot be read: {error}")]
        self._next = (record.seq + 1, digest(data))
        warning = ""
        if expected is not None and (record.seq, record.prev_hash) != expected:
            warning = f"record {record.seq} does not follow record {expected[0] - 1}"
        if self._deployment not in (None, record.deployment) or self._event not in (None, record.event):
            return [("", warning)] if warning else []
        return [(data.decode() if self._as_json else _line(record), warning)]


def _line(record: AuditRecord) -> str:
    from driftline.agents.control.verdicts import one_line
    from driftline.deploy.control.shown import moment

    when = moment(record.decided_at_ms).removesuffix(" UTC")
    model = f"{record.model.name}@{record.model.version}" if record.model else ""
    by = f"by {record.actor}" if record.actor else record.agent
    approved = f"approved by {', '.join(record.approvers)}" if record.approvers else ""
    revision = "" if record.revision_after is None else f"revision {record.revision_after}"
    why = f"({record.reject})" if record.reject else ""
    parts = (record.event, record.op, record.deployment, model, revision, by, approved, why, *record.reasons)
    return f"{record.seq:>6}  {when}  {one_line(' '.join(part for part in parts if part), MOST_CHARS)}"


def _say(line: str, warning: str) -> None:
    if warning:
        click.echo(f"driftline: {warning}: run 'driftline audit verify'", err=True)
    if line:
        click.echo(line)
