"""Which emitters hold events back, and how many are remembered."""

from __future__ import annotations

import pytest

from driftline.schemas import codec
from driftline.streams.processors.emitter_watch import EmitterWatch


def heartbeat(instance: str, deployment: str, *, spooled: int = 1) -> bytes:
    """What an emitter says of itself."""
    book = {"topic": "predictions", "next_seq": 1, "announced_rows": 1, "enqueued": 1, "delivered": 0}
    return codec.encode(
        "EmitterStatus",
        {
            "instance": instance,
            "epoch": 1,
            "deployment": deployment,
            "model_version": "1",
            "host": "h",
            "pid": 1,
            "time_ms": 1,
            "started_ms": 1,
            "books": [book | {"spooled": spooled, "in_flight": 0, "dropped": {}}],
        },
    )


@pytest.fixture(autouse=True)
def two_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cap is two emitters."""
    monkeypatch.setattr("driftline.streams.processors.emitter_watch.MAX_EMITTERS", 2)


def test_at_the_cap_a_known_emitter_puts_nobody_out() -> None:
    """Further words of emitters that are known leave the others known, however often they come."""
    watch = EmitterWatch()
    watch.on_record(None, heartbeat("a", "churn"), 1_000)
    for time_ms in (2_000, 3_000, 4_000):
        watch.on_record(None, heartbeat("b", "fraud"), time_ms)
    assert watch.holds_back("churn", 5_000)
    assert watch.holds_back("fraud", 5_000)


def test_past_the_cap_the_one_silent_for_longest_is_forgotten() -> None:
    """A third emitter takes the place of the one that was heard first."""
    watch = EmitterWatch()
    for time_ms, deployment in enumerate(("churn", "fraud", "spam")):
        watch.on_record(None, heartbeat(deployment, deployment), time_ms)
    assert [watch.holds_back(name, 0) for name in ("churn", "fraud", "spam")] == [False, True, True]
