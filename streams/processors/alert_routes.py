"""The feeds of a worker, one a route of its file: started before any edge is made, and ended together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from driftline.streams.processors.alert_manager import AlertmanagerFeed
from driftline.streams.processors.alert_webhook import WebhookFeed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.schemas.routes import Route
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import AlertMetrics
    from driftline.streams.processors.alert_feed import Feed

STOP_S: Final = 15.0


def start_feeds(
    settings: Settings, topic: Facts, routes: Mapping[str, Route], metrics: AlertMetrics
) -> list[Feed]:
    """Start a feed for each route, before any edge is made.

    Raises:
        KafkaAwayError: the broker does not say where the routes have come.
    """
    feeds: list[Feed] = []
    for route in routes.values():
        if route.kind == "alertmanager":
            feeds.append(AlertmanagerFeed(route, settings, topic, metrics))
            continue
        hook = WebhookFeed(route, settings, topic, metrics)
        hook.begin()
        feeds.append(hook)
    for feed in feeds:
        feed.start()
    return feeds


def stop_feeds(feeds: Sequence[Feed]) -> None:
    """End them all; what is in hand is told again by the next worker unless it is taken within `STOP_S`."""
    for feed in feeds:
        feed.stop()
    deadline_s = time.monotonic() + STOP_S
    for feed in feeds:
        feed.join(deadline_s - time.monotonic())
