"""The feeds of a worker: one a route of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.processors.alert_manager import AlertmanagerFeed
from driftline.streams.processors.alert_webhook import WebhookFeed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.schemas.routes import Route
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.topics import Facts
    from driftline.streams.metrics import AlertMetrics
    from driftline.streams.processors.alert_feed import Feed


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
