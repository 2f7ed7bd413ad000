"""What tests of the alerts worker share: windows and settings sent, the topic read, a worker in the test's process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from archiving import send
from bad_windows import OneBook, window
from emit_rig import Topics
from in_thread import in_thread
from prometheus_client import CollectorRegistry

from driftline.schemas.alert import Alert
from driftline.schemas.announced import announced
from driftline.schemas.deployment import Contact
from driftline.schemas.settings import Settings
from driftline.streams.metrics import AlertMetrics
from driftline.streams.processors import alerts

PEOPLE = OneBook(
    owner="Ana",
    team="shop",
    runbook="https://wiki.example.org/shop",
    importance="high",
    contacts=(Contact(route="on-call"),),
)


def routed_by(settings: Settings, file: Path, text: str) -> Settings:
    """Settings with a file of routes, and a quick rhythm."""
    file.write_text(text)
    worker = msgspec.structs.replace(settings.worker, checkpoint_seconds=1.0)
    routes = msgspec.structs.replace(settings.alerts, routes=str(file), resend_seconds=1.0)
    return msgspec.structs.replace(settings, worker=worker, alerts=routes)


def send_people(settings: Settings, *deployments: str) -> None:
    """Publish who hears of deployments."""
    for name in deployments:
        send(settings, "deployment-state", (name.encode(), PEOPLE.latest(name).to_bytes()))


def send_days(
    settings: Settings, days: range, verdict: str, deployment: str = "shop", features: Sequence[str] = ("x",)
) -> None:
    """Send the final windows of some days, each with one verdict of every feature."""
    over = {"deployment": deployment, "computed_at_ms": time.time_ns() // 1_000_000}
    records = [window(day, day, dict.fromkeys(features, verdict), **over).to_bytes() for day in days]
    send(settings, "windows", *((deployment.encode(), record) for record in records))


def published(settings: Settings) -> list[Alert]:
    """Every edge on the topic `alerts`, in the order of each partition; advice lies there too."""
    records = [announced(one.value) for one in Topics(settings, {}).messages("alerts")]
    return [one for one in records if isinstance(one, Alert)]


def watching(settings: Settings) -> AbstractContextManager[CollectorRegistry]:
    """Run an alerts worker in a thread of this process; gives its metrics."""
    return in_thread(alerts.run, settings, AlertMetrics)
