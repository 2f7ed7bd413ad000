"""The housekeeper: a thread that nothing ends but the worker."""

from __future__ import annotations

import logging
import threading
from contextlib import nullcontext
from typing import Any

import pytest

from driftline.schemas.settings import Settings
from driftline.streams.archive import housekeeper
from driftline.streams.archive.housekeeper import Housekeeper


def test_what_fails_unforeseen_is_said_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever Kafka's client raises while the audit is followed, rows are forgotten and retention kept after it."""
    swept, looks = threading.Semaphore(0), iter([RuntimeError("of a library")])
    monkeypatch.setattr(housekeeper, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(housekeeper, "Client", lambda _: nullcontext())
    monkeypatch.setattr(housekeeper.retention, "apply", lambda *_: [])
    monkeypatch.setattr(housekeeper, "forget", lambda *_: swept.release() or {})
    monkeypatch.setattr(Housekeeper, "_look_at_disks", lambda *_: None)

    class Recorder:
        def look(self, _: object) -> None:
            if error := next(looks, None):
                raise error

        def close(self) -> None:
            pass

    parts: Any = (None, Recorder())
    with caplog.at_level(logging.ERROR), Housekeeper(Settings(), *parts):
        for _ in range(2):
            assert swept.acquire(timeout=30)
    assert [one.getMessage() for one in caplog.records] == ["housekeeping failed; it is tried again"]
