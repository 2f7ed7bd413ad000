"""Beside: what is held of each deployment beside its case, one record a kind: advice, and change points.

Each record is stored as cases are: with the edges of its commit, which are sent again when the commit was not whole.
A window that a record has taken in changes nothing a second time, so records need not be stored together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from driftline.schemas.advice import Advice
from driftline.schemas.alert import Alert
from driftline.streams.alerts import advising, changing
from driftline.streams.alerts.advising import Advising
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.changing import Changing
from driftline.streams.alerts.stored import ADVICE, CHANGES, StoredAdvising, StoredChanging

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.window import WindowResult

Told: TypeAlias = "Alert | Advice"


class Beside:
    """The records beside the cases of one partition."""

    def __init__(self) -> None:
        self._advising: dict[str, Advising] = {}
        self._changing: dict[str, Changing] = {}
        self._told: dict[bytes, list[Told]] = {}
        self._changed: set[bytes] = set()

    @property
    def has_edges(self) -> bool:
        """Whether there is something that nobody has heard of."""
        return bool(self._told)

    @property
    def has_changed(self) -> bool:
        """Whether a commit would say anything new."""
        return bool(self._changed)

    @property
    def cases(self) -> list[Case]:
        """The alerts of change points, by deployment."""
        return [held.case for held in self._changing.values()]

    def fires(self, name: str) -> bool:
        """Whether an alert of a change point fires."""
        held = self._changing.get(name)
        return held is not None and bool(held.case.firing)

    def restore(self, stored: Iterable[StoredAdvising | StoredChanging]) -> None:
        """Take up what was stored."""
        for one in stored:
            if isinstance(one, StoredAdvising):
                self._advising[one.state.deployment] = one.state
            else:
                self._changing[one.state.case.deployment] = one.state

    def take(self, result: WindowResult, people: DeploymentState, now_ms: int) -> list[Told]:
        """Take in a window, as far as a record looks at it; gives what people are to hear of."""
        name, told = result.deployment, []
        if advising.concerns(result, people.settings):
            advice = self._advising.get(name)
            if advice is None:
                advice = self._advising[name] = Advising(deployment=name, ordinal=now_ms // 1000)
            is_new, event = advising.take(advice, result, people, now_ms)
            told += self._note(ADVICE + name.encode(), [] if event is None else [event], is_new=is_new)
        if changing.concerns(result, people.settings):
            held = self._changing.get(name)
            if held is None:
                case = Case(deployment=name, ordinal=now_ms // 1000, resolution=result.resolution)
                held = self._changing[name] = Changing(case=case)
            is_new, edges = changing.take(held, result, people, now_ms)
            told += self._note(CHANGES + name.encode(), list(edges), is_new=is_new)
        return told

    def forget(self, name: str) -> None:
        """Let a deployment go."""
        for held, prefix in ((self._advising, ADVICE), (self._changing, CHANGES)):
            if held.pop(name, None) is not None:
                self._changed.add(prefix + name.encode())

    def commit(self, number: int) -> tuple[list[tuple[bytes, bytes | None]], list[tuple[bytes, bytes]]]:
        """Give the changed records and what is to be told, keyed by deployment, and take all for written."""
        records: list[tuple[bytes, bytes | None]] = []
        edges: list[tuple[bytes, bytes]] = []
        for key in sorted(self._changed):
            outbox = [one.to_bytes() for one in self._told.get(key, ())]
            edges += [(key.partition(b"/")[2], data) for data in outbox]
            records.append((key, self._stored(key, number, outbox)))
        self._told.clear()
        self._changed.clear()
        return records, edges

    def _stored(self, key: bytes, number: int, outbox: list[bytes]) -> bytes | None:
        name = key.partition(b"/")[2].decode()
        if key.startswith(ADVICE):
            advice = self._advising.get(name)
            one = None if advice is None else StoredAdvising(commit=number, outbox=outbox, state=advice)
            return None if one is None else msgspec.msgpack.encode(one)
        held = self._changing.get(name)
        other = None if held is None else StoredChanging(commit=number, outbox=outbox, state=held)
        return None if other is None else msgspec.msgpack.encode(other)

    def _note(self, key: bytes, told: list[Told], *, is_new: bool) -> list[Told]:
        if is_new:
            self._changed.add(key)
        if told:
            self._told.setdefault(key, []).extend(told)
        return told
