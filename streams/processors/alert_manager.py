"""AlertmanagerFeed: what fires, said to an Alertmanager again and again until it is resolved.

Alertmanager wants to hear what is, not what happened. So nothing is committed: the topic is read from its first record
at each start, and all that fires is said once its end is reached. One that was away hears everything on its return.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from driftline.schemas.alert import Alert
from driftline.streams.alerts.alertmanager import Board
from driftline.streams.alerts.webhook import pause_s
from driftline.streams.processors.alert_feed import POLL_S, Feed, is_end
from driftline.streams.processors.alert_post import UnansweredError, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.routes import Route
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import AlertMetrics

PATH: Final = "/api/v2/alerts"
HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "driftline"}
TOGETHER_S: Final = 0.2
"""Edges that come within this time are said in one request."""


class AlertmanagerFeed(Feed):
    """A route that is an Alertmanager; arguments as `Feed`."""

    def __init__(self, route: Route, settings: Settings, topic: Facts, metrics: AlertMetrics) -> None:
        super().__init__(route, settings, topic, metrics)
        self._rng = random.Random()  # noqa: S311 - it spreads retries
        self._board = Board()
        self._unread: set[int] = set()
        self._failures = 0
        self._changed_s: float | None = None
        self._next_s = 0.0

    def assigned(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Read from the first record; nothing is said before the end of every partition is reached."""
        self._board, self._changed_s, self._next_s = Board(), None, 0.0
        self._unread = {one.partition for one in partitions}
        consumer.assign([TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in partitions])

    def revoked(self) -> None:
        """The next owner says it."""
        self._board = Board()

    def step(self, consumer: Consumer) -> None:
        """Read what has come, and say what fires when that is due."""
        message = consumer.poll(POLL_S)
        now_s = time.monotonic()
        if message is not None:
            if is_end(message):
                self._unread.discard(message.partition() or 0)
            else:
                edge = self.read(message)
                # Advice fires nothing and ends nothing: it is for webhooks.
                is_alert = isinstance(edge, Alert) and self._board.take(edge, time.time_ns() // 1_000_000)
                if is_alert and self._changed_s is None:
                    self._changed_s = now_s
        is_news = not self._failures and self._changed_s is not None and now_s - self._changed_s >= TOGETHER_S
        if not self._unread and (is_news or now_s >= self._next_s):
            self._say(now_s)

    def _say(self, now_s: float) -> None:
        resend_s = self._settings.alerts.resend_seconds
        now_ms = time.time_ns() // 1_000_000
        for alerts in self._board.due(now_ms, round(resend_s * 1000)):
            try:
                url = self.route.url.rstrip("/") + PATH
                status, text = post(url, msgspec.json.encode(alerts), HEADERS)
                why = f"HTTP {status} {text}".rstrip()
            except UnansweredError as error:
                status, why = 0, str(error)
            if not 200 <= status < 300:  # noqa: PLR2004 - the class of HTTP that says yes
                self._failures += 1
                self.failed(why)
                self._next_s = now_s + min(pause_s(self._failures, self._rng), resend_s)
                return
            self.took(1)
        self._failures, self._changed_s = 0, None
        self._next_s = now_s + resend_s
