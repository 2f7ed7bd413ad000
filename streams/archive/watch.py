"""Watch: what the archive says of itself, as metrics and as a line in the log."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from driftline.streams.archive.reader import headroom_seconds

if TYPE_CHECKING:
    from driftline.streams.archive.keeper import Done, Keeper
    from driftline.streams.archive.reader import Reader
    from driftline.streams.metrics import ArchiveMetrics

logger = logging.getLogger(__name__)

GAUGE_SECONDS = 2.0
LINE_SECONDS = 30.0
# Below this much head-room the line becomes a warning: a day for somebody to act.
NARROW_SECONDS = 86_400.0


class Watch:
    """Counts blocks as they are stored, and looks at the gauges now and then."""

    def __init__(self, metrics: ArchiveMetrics) -> None:
        """Take the metrics to count in."""
        self._metrics = metrics
        self._gauged_s = self._said_s = float("-inf")
        self._rows = self._blocks = 0
        self._counting = threading.Lock()
        self._shown: set[tuple[str, int]] = set()

    def done(self, done: Done) -> None:
        """Count a block; called in the keeper's threads."""
        topic = done.block.place.topic
        self._metrics.worker.is_stored(topic, done.block.place.partition)
        if done.outcome is None:
            self._metrics.known_blocks.labels(topic).inc()
            logger.warning(
                "%s offsets %d to %d lay in ClickHouse already",
                done.block.place,
                done.block.first,
                done.block.last,
            )
            return
        self._metrics.blocks.labels(topic).inc()
        self._metrics.rows.labels(topic).inc(done.outcome.rows)
        self._metrics.insert_seconds.observe(done.seconds)
        with self._counting:
            self._rows += done.outcome.rows
            self._blocks += 1
        if done.outcome.copies:
            self._metrics.duplicates.labels(topic).inc(done.outcome.copies)
        for letter in done.outcome.letters:
            self._metrics.dead_letters.labels(topic, letter.reason).inc()
            logger.warning(
                "%s[%d] offset %d refused (%s): %s",
                letter.topic, letter.partition, letter.offset, letter.reason, letter.detail,
            )  # fmt: skip

    def look(self, reader: Reader, keeper: Keeper, now_s: float, now_ms: int) -> None:
        """Set the gauges when that is due, and write the line when that is.

        Args:
            reader: what is owned and how far it is.
            keeper: what waits.
            now_s: monotonic clock, s.
            now_ms: wall clock, ms since 1970.
        """
        if now_s - self._gauged_s < GAUGE_SECONDS:
            return
        self._gauged_s = now_s
        lags = reader.lag()
        away_s = 0.0 if keeper.away_since_s is None else now_s - keeper.away_since_s
        least_s = self._gauges(reader, lags, now_ms)
        self._metrics.held_bytes.set(reader.held_bytes() + keeper.held_bytes)
        self._metrics.away_seconds.set(away_s)
        if now_s - self._said_s < LINE_SECONDS:
            return
        self._said_s = now_s
        level = (
            logging.WARNING if away_s or (least_s is not None and least_s < NARROW_SECONDS) else logging.INFO
        )
        logger.log(
            level,
            "stored %d rows in %d blocks, lag %d messages, head-room %s, away for %.0f s",
            self._rows, self._blocks, sum(lags.values()),
            "unbounded" if least_s is None else f"{least_s / 3600:.1f} h", away_s,
        )  # fmt: skip

    def _gauges(self, reader: Reader, lags: dict[tuple[str, int], int], now_ms: int) -> float | None:
        """Set lag and head-room by partition; give the least head-room, seconds."""
        least_s: float | None = None
        shown = set()
        for _, tenure in reader.tenures:
            label = (tenure.place.topic, tenure.place.partition)
            shown.add(label)
            lag = lags.get((tenure.name, tenure.place.partition), 0)
            self._metrics.lag.labels(*label).set(lag)
            if not lag or label not in self._shown:
                self._metrics.worker.is_stored(*label)
            headroom_s = headroom_seconds(tenure, lag, now_ms)
            if headroom_s is not None:
                self._metrics.headroom_seconds.labels(*label).set(headroom_s)
                least_s = headroom_s if least_s is None else min(least_s, headroom_s)
        for label in self._shown - shown:
            # Another worker tells of it now; two figures for one partition would be read as a sum.
            self._metrics.lag.remove(*label)
            self._metrics.worker.forget(*label)
            self._metrics.headroom_seconds.remove(*label)
        self._shown = shown
        return least_s
