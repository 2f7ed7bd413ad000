"""Changes in two phases on a real Kafka, with three fake instances that sign what they say."""

from __future__ import annotations

import time
from dataclasses import replace

from controlled import INSTANCES, PROFILE, WAIT_S, Hall, now_ms, package
from fake_instances import Instance, live
from rollout_windows import advised_to, drift, good, hour

from driftline.agents.audit.record import AuditRecord
from driftline.schemas.control.command import Plan, Step
from driftline.schemas.window import WindowResult


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


def test_windows_move_a_rollout_and_advice_is_told(hall: Hall) -> None:
    """On the real topics: windows pass the step of a canary, worse ones take the next back, advice is a record."""
    hall.start()
    for version in ("1", "2", "3"):
        made = package(version)
        hall.does("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
        hall.does("validate", "val", model=made.model, evidence="ef" * 32)

    def moved(words: str) -> AuditRecord:
        found: AuditRecord = hall.wait(
            lambda told: next((one for one in told if one.event == "moved" and words in one.reasons[0]), None)
        )
        return found

    def show(*results: WindowResult) -> None:
        for one in results:
            hall.publish("windows", replace(one, computed_at_ms=now_ms()).to_bytes(), "churn")
        hall.flush()

    hall.does("create", "ann", model=package("1").model, expected_revision=6)
    moved("no instance has served this deployment yet")
    plan = Plan(steps=(Step(weight=500, min_rows=100),), bake_s=0)
    hall.publish("alerts", advised_to("retrain", "edge-1").to_bytes(), "churn")
    hall.does("canary", "ann", model=package("2").model, expected_revision=8, plan=plan)
    hall.wait(lambda told: any(one.revision_after == 10 for one in told))
    # The canary began in the first hour; the second one is whole.
    for number in (0, 1):
        show(*good("2", "canary", **hour(number)), *good("1", "champion", **hour(number)))
    passed = moved("step 1 of 1 passed")
    assert all(check.passed for check in passed.checks)
    hall.does("promote", "ann", model=package("2").model, expected_revision=11, plan=Plan(bake_s=0))
    hall.wait(lambda told: any(one.revision_after == 13 for one in told))
    hall.does("canary", "ann", model=package("3").model, expected_revision=13, plan=plan)
    hall.wait(lambda told: any(one.revision_after == 15 for one in told))
    show(drift("3", "canary", errors=0.3, **hour(2)), drift("2", "champion", **hour(2)))
    assert "errors (worse: 30.00% failed" in moved("taken back").reasons[0]
    assert [one.detail["id"] for one in hall.agree() if one.event == "advised" and one.detail] == ["edge-1"]
