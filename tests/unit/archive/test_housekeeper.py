"""The housekeeper: a thread that nothing ends but the worker."""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from driftline.schemas.settings import Settings
from driftline.streams.archive import housekeeper
from driftline.streams.archive.housekeeper import Housekeeper
from driftline.streams.clickhouse.errors import ClickHouseError
from driftline.streams.worker_metrics import HousekeepingMetrics


def test_what_fails_unforeseen_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever Kafka's client raises while the audit is followed, rows are forgotten and retention kept after it."""
    swept, looks = threading.Semaphore(0), iter([RuntimeError("of a library")])
    monkeypatch.setattr(housekeeper, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(housekeeper, "Client", lambda _: nullcontext())
    monkeypatch.setattr(housekeeper.retention, "apply", lambda *_: [])
    monkeypatch.setattr(housekeeper, "forget", lambda *_: swept.release() or {})
    monkeypatch.setattr(Housekeeper, "_look_at_disks", lambda *_: True)

    class Recorder:
        def look(self, _: object) -> bool:
            if error := next(looks, None):
                raise error
            return True

        def close(self) -> None:
            pass

    parts: Any = (HousekeepingMetrics(CollectorRegistry()), Recorder())
    with caplog.at_level(logging.ERROR), Housekeeper(Settings(), *parts):
        for _ in range(2):
            assert swept.acquire(timeout=30)
    assert [one.getMessage() for one in caplog.records] == [
        "writing down what is to be forgotten failed; it is tried again"
    ]


def test_what_cannot_be_kept_keeps_nothing_from_being_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right that is missing for retention is told by a figure of its own, and what is asked to go goes."""
    swept, written = threading.Semaphore(0), threading.Semaphore(0)
    monkeypatch.setattr(housekeeper, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(housekeeper, "Client", lambda _: nullcontext())
    monkeypatch.setattr(housekeeper, "forget", lambda *_: swept.release() or {})
    monkeypatch.setattr(Housekeeper, "_look_at_disks", lambda *_: True)

    def refused(*_: object) -> list[str]:
        raise ClickHouseError("not enough privileges")

    class Recorder:
        def look(self, _: object) -> bool:
            written.release()
            return False

        def close(self) -> None:
            pass

    monkeypatch.setattr(housekeeper.retention, "apply", refused)
    registry = CollectorRegistry()
    parts: Any = (HousekeepingMetrics(registry), Recorder())
    with Housekeeper(Settings(), *parts):
        for _ in range(3):
            assert swept.acquire(timeout=30)
            assert written.acquire(timeout=30)
    name = "driftline_archive_housekeeping_failing"
    assert registry.get_sample_value(name, {"work": "retention"}) == 1
    assert registry.get_sample_value(name, {"work": "writing down what is to be forgotten"}) == 1
    assert registry.get_sample_value(name, {"work": "forgetting"}) == 0
