"""One window's state while it is being worked on: counters, and how much of the log is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.held import PaneKey, seal, unseal
from driftline.streams.windows.splits import splits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from driftline.schemas.columns import PredictionColumns
    from driftline.streams.windows.layout import Layout
    from driftline.streams.windows.profiles import Profiles


@dataclass(slots=True, eq=False)
class Pane:
    """A window of one resolution, model version and slot.

    Attributes:
        key: which window.
        counters: what has been counted in it.
        absorbed: offset of the last message folded into it; a message at or below it is skipped.
        writes: how often it was written to the changelog.
        restated: whether something came after its result had been published as final.
        changed: whether it differs from what the changelog holds.
        tail: the rows since the archive was asked for those before, counted with the profile that has come; not stored.
    """

    key: PaneKey
    counters: Counters
    absorbed: int = -1
    writes: int = 0
    restated: bool = False
    changed: bool = False
    tail: Pane | None = None

    @property
    def end_ms(self) -> int:
        """The end of the window (exclusive), ms."""
        return self.key.start_ms + WIDTHS_MS[self.key.resolution]

    def count(self, columns: PredictionColumns, rows: slice | np.ndarray, profiles: Profiles) -> None:
        """Count rows of a batch: as a whole, and but for five minutes by the values of segments.

        Args:
            columns: the batch.
            rows: those of it that lie in the window.
            profiles: where the settings are that say which segments.
        """
        self.counters.fold(columns, rows)
        layout = self.counters.layout
        if layout.splits and self.key.resolution != "5m":
            state = profiles.state(self.key.deployment, self.end_ms)
            self.counters.fold_splits(splits_of(layout, state), columns, rows)
        if self.tail is not None:
            self.tail.count(columns, rows, profiles)

    def begin_tail(self, layout: Layout) -> int:
        """Count what comes from now on by another layout too; gives the bytes that this takes."""
        self.tail = Pane(self.key, Counters(layout))
        return self.tail.counters.size_bytes

    def encode(self) -> bytes:
        """The value for the changelog; each call is one more write."""
        self.writes += 1
        body = msgspec.msgpack.encode((self.restated, self.counters.layout.digest, self.counters.to_bytes()))
        return seal(self.absorbed, self.writes, body)

    @classmethod
    def decode(cls, key: PaneKey, value: bytes, layout_of: Callable[[PaneKey, str], Layout]) -> Pane:
        """The reverse of `encode`.

        Args:
            key: which window.
            value: what the changelog holds.
            layout_of: finds the layout that the counters were made with, by key and profile digest.

        Raises:
            StateError: the value has another format, or no profile of that digest is known any more.
        """
        absorbed, writes, body = unseal(key.encode(), value)
        restated, digest, counted = msgspec.msgpack.decode(body)
        counters = Counters.from_bytes(layout_of(key, digest), counted)
        return cls(key, counters, absorbed=absorbed, writes=writes, restated=restated)
