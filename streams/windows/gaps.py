"""Gaps: windows that memory does not hold all facts of; once they are cold the archive is asked for them.

A width that a version is newly counted by leaves one: its first windows began before it. So do facts that retention
removed. Of such windows memory is silent, and of the weeks and months that they are part of.

Days pushed out at the byte cap leave doubts: with them go the ids that came first there, and the labels that waited, so
that what comes in the next days may count once too often, or lack its label. So does a prediction that is older than a
label that has waited long enough: it may be that label's. Days in doubt are published meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.streams.windows.resolution import DAY_MS, MERGED, Resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    import numpy as np
    from numpy.typing import NDArray

    from driftline.streams.windows.late import LateDays
    from driftline.streams.windows.window import Window

_EVER_MS: Final = -(1 << 62)
SILENT_MS: Final = 32 * DAY_MS
"""How long a version of which nothing is held is known: past it no month of its new widths holds rows of before."""
SILENT_VERSIONS: Final = 1_024
"""Such versions of a deployment; past it the one that is silent the longest is forgotten."""


class Doubt(NamedTuple):
    """Days in doubt, by event time, ms, `until_ms` exclusive; the end moves on until the broker's time `open_s`, s."""

    since_ms: int
    until_ms: int
    open_s: int


class Gap(NamedTuple):
    """Windows of a resolution that start in a span of event time, ms, `until_ms` exclusive.

    Attributes:
        version: whose; None for all of them.
        is_asked: whether the archive was asked for them.
        lasts: whether it never is: days before a width was asked for, whose weeks and months are not told at all.
    """

    version: str | None
    resolution: str
    since_ms: int
    until_ms: int
    is_asked: bool = False
    lasts: bool = False

    def silences(self, window: Window) -> bool:
        """Whether a window is not to be published from memory."""
        if self.version not in (None, window.version):
            return False
        if window.resolution == self.resolution:
            return self.since_ms <= window.start_ms < self.until_ms
        has_days = self.resolution == "1d" and window.resolution in MERGED
        return has_days and window.start_ms < self.until_ms and window.end_ms > self.since_ms


class Now(NamedTuple):
    """What was taken: offset of the last record of predictions, greatest event time in ms, broker's time in s."""

    offset: int
    newest_ms: int
    heard_s: int


@dataclass(slots=True)
class Gaps:
    """The gaps of one deployment.

    Attributes:
        held: those that are not filled yet.
        doubt: days in doubt that are not cold yet.
        widths: what each model version is counted by.
        silent: of those that nothing is held of, the greatest event time taken when that was first so, ms.
    """

    held: list[Gap] = field(default_factory=list)
    doubt: Doubt | None = None
    widths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    silent: dict[str, int] = field(default_factory=dict)

    def watch(
        self,
        version: str,
        widths: tuple[str, ...],
        newest_ms: int,
        cold_before: Callable[[str], int],
        serves: Callable[[tuple[str, ...], str], bool] = lambda _before, _name: False,
    ) -> None:
        """Take note of what a version is counted by; of a new width the windows begun so far are a gap.

        Args:
            version: of the model.
            widths: narrowest first.
            newest_ms: the greatest event time taken.
            cold_before: gives the start before which windows of a resolution are cold, ms.
            serves: whether what is kept for some widths serves windows of another one too.
        """
        before = self.widths.get(version, widths)
        self.widths[version] = widths
        for name in widths if widths != before else ():
            if name not in before and not serves(before, name):
                since_ms = cold_before(name)
                if name == "1d":  # of the first month all days are wanted; what began before it stays silent
                    since_ms = Resolution("1M").start(since_ms)
                    untold = Gap(version, name, _EVER_MS, since_ms, lasts=True)
                    others = [gap for gap in self.held if not (gap.lasts and gap.version == version)]
                    self.held = [*others, untold]
                until_ms = Resolution(name).end(Resolution(name).start(newest_ms))
                self.held.append(Gap(version, name, since_ms, until_ms))

    def doubts(self, since_ms: int, until_ms: int, open_s: int = 0) -> None:
        """Take days into doubt; the span grows to hold those of before too."""
        held = self.doubt or Doubt(since_ms, until_ms, open_s)
        span = min(held.since_ms, since_ms), max(held.until_ms, until_ms)
        self.doubt = Doubt(*span, max(held.open_s, open_s))

    def doubt_older(self, times_ms: NDArray[np.int64], let_go_s: int, cold_ms: int) -> None:
        """Take the days of predictions into doubt whose labels may have come, and been let go, before them.

        Args:
            times_ms: of the predictions.
            let_go_s: the broker's time of the newest label that was let go, s; a label comes after its event.
            cold_ms: what lies before it is late, and restated for that.
        """
        let_go_ms = (let_go_s + 1) * 1000
        if let_go_ms <= cold_ms:
            return
        older = times_ms[(times_ms >= cold_ms) & (times_ms < let_go_ms)]
        if len(older):
            self.doubts(int(older.min()) // DAY_MS * DAY_MS, (int(older.max()) // DAY_MS + 1) * DAY_MS)

    def silence(self, window: Window) -> bool:
        """Whether a window is not to be published from memory."""
        return any(gap.silences(window) for gap in self.held)

    def ask(self, late: LateDays, now: Now, cold_before: Callable[[str], int]) -> list[Gap]:
        """Ask the archive for what is cold now, as for late rows; gives the gaps that it has filled.

        Args:
            late: of the deployment.
            now: what was taken so far.
            cold_before: as for `watch`.
        """
        filled = [
            gap
            for gap in self.held
            if gap.is_asked and not (gap.lasts or late.awaits(gap.since_ms, gap.until_ms))
        ]
        self.held = [gap for gap in self.held if gap not in filled]
        for at, gap in enumerate(self.held):
            if not (gap.is_asked or gap.lasts) and cold_before(gap.resolution) >= gap.until_ms:
                day_ms = gap.since_ms // DAY_MS * DAY_MS
                late.ask(day_ms, -(-gap.until_ms // DAY_MS) * DAY_MS, now.offset)
                self.held[at] = gap._replace(is_asked=True)
        if self.doubt is not None:
            since_ms, until_ms, open_s = self.doubt
            if now.heard_s <= open_s:
                until_ms = max(until_ms, (now.newest_ms // DAY_MS + 1) * DAY_MS)
            cold_ms = min(cold_before("1d"), until_ms)
            if cold_ms > since_ms:
                late.ask(since_ms, cold_ms, now.offset)
                since_ms = cold_ms
            is_left = since_ms < until_ms or now.heard_s <= open_s
            self.doubt = Doubt(since_ms, until_ms, open_s) if is_left else None
        return filled

    def forget(self, versions: Container[str], newest_ms: int) -> None:
        """Forget what versions are counted by that have been silent for long.

        Args:
            versions: those that something is held of.
            newest_ms: the greatest event time taken.
        """
        since = {one: self.silent.get(one, newest_ms) for one in self.widths if one not in versions}
        longest = sorted(since, key=since.__getitem__)[-SILENT_VERSIONS:]
        self.silent = {one: since[one] for one in longest if since[one] > newest_ms - SILENT_MS}
        gone = since.keys() - self.silent.keys()
        self.widths = {one: widths for one, widths in self.widths.items() if one not in gone}

    def to_list(self) -> list[Any]:
        """Plain values for storing."""
        widths = {version: list(names) for version, names in self.widths.items()}
        return [[list(gap) for gap in self.held], self.doubt, widths, self.silent]

    @classmethod
    def from_list(cls, stored: list[Any]) -> Gaps:
        """The reverse of `to_list`."""
        held, doubt, widths, *rest = stored  # states of before know of no silent versions
        by_version = {version: tuple(names) for version, names in widths.items()}
        silent = rest[0] if rest else {}
        return cls([Gap(*gap) for gap in held], None if doubt is None else Doubt(*doubt), by_version, silent)
