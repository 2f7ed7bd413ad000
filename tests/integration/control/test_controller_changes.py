"""Changes in two phases on a real Kafka, with three fake instances that sign what they say."""

from __future__ import annotations

import time

from controlled import INSTANCES, PROFILE, WAIT_S, Hall, package
from fake_instances import Instance, live


def test_a_change_that_one_of_three_cannot_load_is_cancelled_everywhere(hall: Hall) -> None:
    """The first champion is applied by three; the next one, which the third cannot load, comes nowhere, and is told."""
    hall.start()
    fleet = [Instance(hall, name, "churn") for name in INSTANCES]
    pulse = live(hall, *fleet)

    def until(*events: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while events != tuple(one.event for one in hall.told()[-len(events) :]):
            next(pulse)
            assert time.monotonic() < deadline, [(one.event, one.reasons) for one in hall.told()[-6:]]

    for _ in range(2):
        next(pulse)
    hall.wait(lambda told: sum(one.event == "joined" for one in told) == len(INSTANCES))
    for version in ("1", "2"):
        made = package(version)
        hall.does("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
        hall.does("validate", "val", model=made.model, evidence="ef" * 32)
    one, two = package("1").model, package("2").model
    hall.does("create", "ann", model=one, expected_revision=4)
    assert hall.states()["churn"][-1].phase == "prepare"
    until("acked", "acked", "acked", "applied")
    assert hall.states()["churn"][-1].champion == one
    fleet[2].fails = "the golden rows differ"
    hall.does("promote", "ann", model=two, expected_revision=6)
    until("acked", "acked", "acked", "applied")
    last = hall.states()["churn"][-1]
    assert (last.champion, last.phase, last.prepares, last.revision) == (one, "activate", (), 8)
    told = hall.agree()
    reason = next(record.reasons for record in told if record.revision_after == 8)
    assert reason == ("revision 7 is cancelled: not all could prepare: serving-3: the golden rows differ",)
    assert [record.detail["outcome"] for record in told if record.event == "acked"].count("prepared") == 5
