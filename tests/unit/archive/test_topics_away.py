"""Asking a broker that is away about its topics."""

from __future__ import annotations

import pytest

from driftline.schemas.settings import Kafka
from driftline.streams.archive import topics
from driftline.streams.archive.errors import KafkaAwayError


def test_a_broker_that_is_away_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A worker that waits for Kafka logs its own sentence, and the client beneath it nothing at all."""
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 1.0)
    with pytest.raises(KafkaAwayError, match=r"the broker at 127\.0\.0\.1:9 does not"):
        topics.describe(Kafka(bootstrap="127.0.0.1:9"), ["predictions"])
    assert capfd.readouterr().err == ""
