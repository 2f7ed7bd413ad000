"""Desk: the deployments of one partition, what their windows make of them, and how that is stored.

A commit is written in this order, each step acknowledged before the next:

    1. the changed cases, each with the edges that it made since the last commit (its outbox) and the commit's number;
       what advice and change points rest on is stored beside them in the same way (`beside`);
    2. those edges, on the topic `alerts`;
    3. the row of the partition: the position reached, and the number of the commit.

A crash between 1 and 3 leaves cases with a number above the row's. The next owner sends their outboxes again, the very
bytes, then reads again from the row's position: windows that a case has absorbed change nothing a second time, because
a version that is not greater is ignored. So an edge is sent at least once, always with the id and content it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from driftline.schemas.refusal import Refused
from driftline.schemas.window import WindowResult
from driftline.streams.alerts.beside import Beside
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.clock import look_at_clock, look_at_losses
from driftline.streams.alerts.stored import CASE, ROW, Row, Stored, read_stored
from driftline.streams.alerts.windows import take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.advice import Advice
    from driftline.schemas.alert import Alert
    from driftline.streams.alerts.losses import Loss
    from driftline.streams.alerts.windows import Settings

CASES: Final = 10_000
"""Deployments of one partition; more are not watched, and counted."""
CASE_BYTES: Final = 1_900_000
FORGOTTEN_MS: Final = 90 * 86_400_000
"""A deployment that nobody has heard of for so long, and of which nothing fires, is let go."""
HEARD_MS: Final = 60_000
"""That a deployment was heard is stored once a minute: silence is told in widths of windows, 5 minutes or more."""

Edges = list[tuple[bytes, bytes]]
"""Records of the topic `alerts`: key and value."""


class Commit(NamedTuple):
    """What to write: state records (None: a tombstone), edges and events of advice, the row."""

    cases: list[tuple[bytes, bytes | None]]
    edges: Edges
    row: tuple[bytes, bytes]


class Desk:
    """One partition of `windows`.

    Args:
        topic_id: the topic's, as the broker made it.
        settings: those of all deployments.
    """

    def __init__(self, topic_id: str, settings: Settings) -> None:
        self._topic_id, self._settings = topic_id, settings
        self._cases: dict[str, Case] = {}
        self._edges: dict[str, list[Alert]] = {}
        self._beside = Beside()
        self._changed: set[str] = set()
        self._forgotten: set[str] = set()
        self._stored_heard: dict[str, int] = {}
        self._commits = 0
        self.offset = -1
        self._stored_offset = -1
        self.refused = 0

    @property
    def cases(self) -> Mapping[str, Case]:
        """What is held, by deployment."""
        return self._cases

    @property
    def alerting(self) -> list[Case]:
        """All that alerts come of: the cases, and those of change points."""
        return [*self._cases.values(), *self._beside.cases]

    @property
    def has_edges(self) -> bool:
        """Whether there is an edge that nobody has heard of."""
        return bool(self._edges) or self._beside.has_edges

    @property
    def has_changed(self) -> bool:
        """Whether a commit would say anything new."""
        return bool(self._changed) or self._beside.has_changed or self.offset != self._stored_offset

    def restore(self, records: Mapping[bytes, bytes]) -> Edges:
        """Take up what was stored; give the edges to send again before anything else.

        Raises:
            Refused: it is of another topic, or of another release.
        """
        row, held, beside = read_stored(records, self._topic_id)
        self.offset = self._stored_offset = -1 if row is None else row.offset
        reached = self._commits = 0 if row is None else row.commit
        again: Edges = []
        for stored in held:
            case = stored.case
            self._cases[case.deployment] = case
            self._stored_heard[case.deployment] = case.heard_ms
            self._commits = max(self._commits, stored.commit)
            if stored.commit > reached:
                again += [(case.deployment.encode(), data) for data in stored.outbox]
        self._beside.restore(beside)
        for one in beside:
            self._commits = max(self._commits, one.commit)
            if one.commit > reached:
                again += [(one.state.deployment.encode(), data) for data in one.outbox]
        return again

    def take(self, offset: int, value: bytes | None, now_ms: int) -> list[Alert | Advice]:
        """Take in a record of `windows`; what cannot be read is counted, and is the archive's to report."""
        self.offset = max(self.offset, offset)
        try:
            result = WindowResult.from_bytes(value or b"")
        except Refused:
            self.refused += 1
            return []
        case = self._case(result.deployment, now_ms)
        if case is None:
            self.refused += 1
            return []
        before = case.newest_end_ms, case.watermark_ms
        edges = take(case, result, self._settings, now_ms)
        is_news = result.final or (case.newest_end_ms, case.watermark_ms) != before
        if edges or is_news or case.heard_ms - self._stored_heard.get(case.deployment, 0) >= HEARD_MS:
            self._note(case, edges)
        return [*edges, *self._beside.take(result, self._settings.latest(result.deployment), now_ms)]

    def look(self, losses: Mapping[str, Loss], now_ms: int) -> list[Alert]:
        """Look at clock and ledgers; `losses` are those of deployments of this partition.

        For a desk that is caught up: who reads old windows only now must not take them for silence.
        """
        found = []
        for name in losses.keys() - self._cases.keys():
            self._case(name, now_ms)
        for name, case in self._cases.items():
            people = self._settings.latest(name)
            edges = look_at_clock(case, people, now_ms)
            edges += look_at_losses(case, losses.get(name), people, now_ms)
            if edges:
                self._note(case, edges)
            # Its ordinal began at the second in which it was first seen.
            heard_ms = max(case.heard_ms, case.ordinal * 1000)
            fires = case.firing or self._beside.fires(name)
            if not fires and heard_ms < now_ms - FORGOTTEN_MS:
                self._changed.add(name)
                self._forgotten.add(name)
            found += edges
        for name in self._forgotten:
            self._cases.pop(name, None)
            self._beside.forget(name)
        return found

    def commit(self) -> Commit:
        """Give what is to be written, and take it for written: after a failure restore a new desk from the store."""
        self._commits += 1
        edges: Edges = []
        cases: list[tuple[bytes, bytes | None]] = []
        for name in sorted(self._changed):
            if name in self._forgotten and name not in self._cases:
                cases.append((CASE + name.encode(), None))
                self._stored_heard.pop(name, None)
                continue
            outbox = [one.to_bytes() for one in self._edges.get(name, ())]
            edges += [(name.encode(), data) for data in outbox]
            cases.append((CASE + name.encode(), self._stored(self._cases[name], outbox)))
            self._stored_heard[name] = self._cases[name].heard_ms
        records, told = self._beside.commit(self._commits)
        cases, edges = cases + records, edges + told
        self._edges.clear()
        self._changed.clear()
        self._forgotten.clear()
        self._stored_offset = self.offset
        row = Row(topic_id=self._topic_id, offset=self.offset, commit=self._commits)
        return Commit(cases, edges, (ROW, msgspec.msgpack.encode(row)))

    def _stored(self, case: Case, outbox: list[bytes]) -> bytes:
        stored = Stored(commit=self._commits, outbox=outbox, case=case)
        data = msgspec.msgpack.encode(stored)
        if len(data) > CASE_BYTES:
            case.lighten()
            data = msgspec.msgpack.encode(stored)
        return data

    def _case(self, name: str, now_ms: int) -> Case | None:
        if name not in self._cases and len(self._cases) < CASES:
            self._cases[name] = Case(deployment=name, ordinal=now_ms // 1000)
        return self._cases.get(name)

    def _note(self, case: Case, edges: list[Alert]) -> None:
        self._changed.add(case.deployment)
        if edges:
            self._edges.setdefault(case.deployment, []).extend(edges)
