"""Rollouts judged by windows: what passes a step, what takes it back, and that no data does neither."""

from __future__ import annotations

from dataclasses import replace

import pytest
from controlled import PROFILE, package
from office import Office
from rollout_windows import HOUR_MS, ONE, START_MS, TWO, drift, good, hour, later, on_canary, show, truth
from signed import model

from driftline.agents.control.controller import windows as windows_module
from driftline.agents.control.controller.judging import Judgement, beside
from driftline.agents.control.controller.rollouts import next_move
from driftline.agents.control.controller.windows import Kept, Windows
from driftline.agents.control.lifecycle import At
from driftline.schemas.control.command import Plan
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.floors import Floor
from driftline.schemas.window import WindowResult

SETTINGS = DeploymentSettings(deployment="churn")


def judged(
    canary: list[WindowResult], champion: list[WindowResult] | None = None, since_ms: int = START_MS
) -> Judgement:
    """Judge a canary beside a champion in which all is well; its step began with the first hour."""
    its = good("1", "champion") if champion is None else champion
    return beside(told(canary, since_ms), told(its, since_ms), (PROFILE, PROFILE), SETTINGS, since_ms)


def told(results: list[WindowResult], at_ms: int) -> list[Kept]:
    """Windows that were told at a time, ms since 1970."""
    return [Kept(replace(one, computed_at_ms=at_ms), at_ms) for one in results]


def test_a_canary_that_is_no_worse_passes() -> None:
    """All five comparisons have enough data, and each passes."""
    found = judged(good("2", "canary"))
    assert (found.evidence.verdict, found.evidence.rows, len(found.checks)) == ("pass", 1_000, 5)
    assert all(one.passed for one in found.checks)


@pytest.mark.parametrize(
    ("canary", "champion", "name"),
    [
        ([], None, "performance"),
        (good("2", "canary"), [], "performance"),
        ([drift("2", "canary")], None, "performance"),
        ([truth("2", "canary")], None, "errors"),
        ([drift("2", "canary"), truth("2", "canary", provisional=True)], None, "performance"),
        ([drift("2", "canary"), truth("2", "canary", final=False)], None, "performance"),
        ([drift("2", "canary"), truth("2", "canary", half=0.1)], None, "performance"),
        ([drift("2", "canary", rows=150), truth("2", "canary")], None, "errors"),
        ([drift("2", "canary", verdict="inconclusive"), truth("2", "canary")], None, "prediction"),
        ([drift("2", "canary", verdict="warn"), truth("2", "canary")], None, "prediction"),
        ([drift("2", "canary", verdict="fail"), truth("2", "canary")], None, "prediction"),
        (good("2", "canary", profile_digest="another"), None, "performance"),
        (good("2", "canary", window_start_ms=START_MS + HOUR_MS, window_end_ms=START_MS + 2 * HOUR_MS), None, "errors"),
    ],
)  # fmt: skip
def test_no_data_is_no_verdict(
    canary: list[WindowResult], champion: list[WindowResult] | None, name: str
) -> None:
    """Whatever is missing, provisional, unsure, or made with another profile: the step waits, and says for what."""
    found = judged(canary, champion)
    assert found.evidence.verdict == "wait"
    assert next(one for one in found.checks if one.name == name).detail.startswith("wait")


@pytest.mark.parametrize(
    ("canary", "name"),
    [
        ([drift("2", "canary", errors=0.05), truth("2", "canary")], "errors"),
        ([drift("2", "canary", p50=30.0), truth("2", "canary")], "latency"),
        (
            [
                drift("2", "canary", verdict="fail"),
                drift("2", "canary", verdict="fail"),
                truth("2", "canary"),
            ],
            "prediction",
        ),
        ([drift("2", "canary"), truth("2", "canary", auc=0.7)], "performance"),
    ],
)
def test_one_that_is_worse_is_worse(canary: list[WindowResult], name: str) -> None:
    """One comparison that says worse, and surely so, decides."""
    found = judged(canary)
    assert found.evidence.verdict == "worse"
    assert found.reason.startswith(name)


def test_the_window_in_which_a_canary_began_decides_on_errors_alone() -> None:
    """The canary answered the end of it and the champion all of it: what differs by the hour is no verdict on it."""
    began = START_MS + HOUR_MS // 2
    night = [drift("2", "canary", verdict="fail", p50=50.0, p95=90.0), truth("2", "canary", auc=0.6)]
    assert judged(night, since_ms=began).evidence.verdict == "wait"
    both = [
        one
        for slot, version in (("canary", "2"), ("champion", "1"))
        for one in good(version, slot, **hour(1))
    ]
    mine = [one for one in both if one.slot == "canary"]
    its = [*good("1", "champion"), *(one for one in both if one.slot == "champion")]
    assert judged([*night, *mine], its, began).evidence.verdict == "pass"
    assert judged([*night, *mine], its, 2 * began).evidence.verdict == "pass"
    broken = judged([drift("2", "canary", errors=0.2)], since_ms=began)
    assert (broken.evidence.verdict, broken.reason[:6]) == ("worse", "errors")


def test_the_deployments_own_floor_decides() -> None:
    """A fall beyond the default floor and within the declared one passes."""
    fallen = [drift("2", "canary"), truth("2", "canary", auc=0.74)]
    assert judged(fallen).evidence.verdict == "worse"
    wide = DeploymentSettings(deployment="churn", floors={"auc": Floor(warn=0.2, fail=0.3)})
    sides = told(fallen, START_MS), told(good("1", "champion"), START_MS)
    found = beside(*sides, (PROFILE, PROFILE), wide, START_MS)
    assert found.evidence.verdict == "pass"


@pytest.mark.parametrize(("provisional", "verdict"), [(False, "pass"), (True, "worse")])
def test_an_estimate_speaks_while_labels_do_not(*, provisional: bool, verdict: str) -> None:
    """Scores alone that promise less take a canary back before labels are there, not where those say it is better."""
    found = judged([drift("2", "canary"), truth("2", "canary", auc=0.85, guess=0.6, provisional=provisional)])
    assert found.evidence.verdict == verdict
    told = {one.name: one.detail for one in found.checks}
    assert told["estimate"].startswith(f"{verdict}: ")


def test_a_rollout_passes_its_steps_by_windows_of_each() -> None:
    """A step passes after its bake time by windows that were first told in it; the last one lets it be promoted."""
    room = on_canary()
    for number in (1, 2):
        show(room, *good("2", "canary", **hour(number)), *good("1", "champion", **hour(number)))
    assert later(room, 30) == []
    moved = later(room, 31)[-1]
    assert moved.event == "moved"
    assert moved.reasons == ("step 1 of 2 passed",)
    assert [one.name for one in moved.checks] == [
        "performance",
        "estimate",
        "prediction",
        "errors",
        "latency",
    ]
    assert [one for one in later(room, 61) if one.event == "moved"] == []
    for number in (3, 4):
        show(room, *good("2", "canary", **hour(number)), *good("1", "champion", **hour(number)))
    later(room, 1)
    assert room.state is not None
    assert room.state.rollout is not None
    assert room.state.rollout.passed
    room.ask("promote", "ann", model=TWO)
    assert room.state.champion == TWO


def test_a_window_that_the_champion_began_alone_decides_on_errors_alone() -> None:
    """It was told before the canary came, so it is known of both; a canary that fails its calls goes back in it."""
    room = on_canary()
    before = room.now_ms - 1_000
    for one in good("1", "champion", **hour(1)):
        room.clerk.windows.take(b"churn", replace(one, computed_at_ms=before).to_bytes())
    show(
        room,
        drift("2", "canary", verdict="fail", p50=90.0, **hour(1)),
        truth("2", "canary", auc=0.6, **hour(1)),
    )
    assert later(room, 2) == []
    show(room, drift("2", "canary", errors=0.2, absorbed=10, **hour(1)))
    assert (
        later(room, 2)[-1]
        .reasons[0]
        .startswith("taken back at step 1 of 2, worse than the champion: errors ")
    )


def test_a_late_row_does_not_make_the_first_window_whole() -> None:
    """By a clock the window in which the step began is the one around that moment, whatever older one is told late."""
    began = START_MS + HOUR_MS // 2
    night = [drift("2", "canary"), truth("2", "canary", auc=0.6)]
    late = drift("2", "canary", rows=1, **hour(-40))
    assert judged([late, *night], since_ms=began).evidence.verdict == "wait"


def test_a_canary_that_is_worse_is_taken_back_with_the_evidence() -> None:
    """Its weight goes back to nothing at once, and the audit says by which comparison."""
    room = on_canary()
    bad = [drift("2", "canary", errors=0.2, **hour(1)), truth("2", "canary", **hour(1))]
    show(room, *bad, *good("1", "champion", **hour(1)))
    moved = later(room, 2)[-1]
    assert moved.reasons == (
        "taken back at step 1 of 2, worse than the champion: errors (worse: 20.00% failed, of the other's 0.00%)",
    )
    assert room.state is not None
    assert room.state.rollout is None
    assert room.state.champion == ONE


@pytest.mark.parametrize("is_bad", [True, False])
def test_a_change_that_is_being_prepared_holds_nothing_up(*, is_bad: bool) -> None:
    """Beside a shadow that none has prepared a worse canary goes back at once, and one without data when it is due."""
    room = on_canary()
    room.beat()
    room.registered("3")
    room.ask("shadow", "ann", model=package("3").model, plan=Plan(prepare_s=3_600))
    assert room.state is not None
    assert room.state.phase == "prepare"
    bad = [drift("2", "canary", errors=0.2, **hour(1)), truth("2", "canary", **hour(1))]
    if is_bad:
        show(room, *bad, *good("1", "champion", **hour(1)))
    moved = next(one for one in later(room, 2 if is_bad else 602) if one.event == "moved")
    assert "taken back at step 1 of 2" in moved.reasons[0]
    assert (room.state.rollout, room.state.shadows, room.state.phase) == (None, (), "activate")


def test_a_rollback_that_is_being_prepared_is_left_alone() -> None:
    """It says already what people want to be rid of: neither an overdue canary nor a bake ends it."""
    office = Office("low")
    office.created()
    for version in ("2", "3"):
        office.promoted(version)
    office.canary("4")
    office.ask("rollback", "oli", model=model("1"))
    state = office.state
    assert (state.phase, state.prepares, state.rollout is not None) == ("prepare", (model("1"),), True)
    assert state.rollout is not None
    late_ms = state.rollout.step_since_ms + round(state.rollout.plan.max_wait_s * 1_000) + 1
    assert next_move(state, Windows(), SETTINGS, At(late_ms, office.desk.seq)) is None
    office.prepared()
    assert (office.state.champion, office.state.rollout) == (model("1"), None)


def test_a_clock_that_is_set_back_holds_up_no_judgement() -> None:
    """A canary that is worse goes back although the controller looked last at a time that is to come."""
    room = on_canary()
    room.turn()
    bad = [drift("2", "canary", errors=0.2, **hour(1)), truth("2", "canary", **hour(1))]
    show(room, *bad, *good("1", "champion", **hour(1)))
    assert later(room, -2)[-1].event == "moved"
    assert room.state is not None
    assert room.state.rollout is None


def test_a_step_without_data_goes_back_after_its_longest_wait() -> None:
    """Nothing is told, so nothing passes; past the plan's time the weight goes back to nothing."""
    room = on_canary()
    for _ in range(9):
        assert [one for one in later(room, 60) if one.event == "moved"] == []
    moved = later(room, 62)[-1]
    assert moved.reasons == ("taken back at step 1 of 2: nothing was decided in 600 s",)
    assert room.state is not None
    assert room.state.rollout is None


def test_windows_of_replays_and_of_others_judge_nothing() -> None:
    """What was counted again from the log or told under another's name is kept for no rollout; a newer count is."""
    windows = Windows()
    windows.follow({"churn"})
    live = drift("2", "canary")
    for key, one in (
        (b"churn", replace(live, run="again")),
        (b"churn", replace(live, deployment="fraud")),
        (b"fraud", live),
    ):
        windows.take(key, one.to_bytes())
    assert windows.of("churn", "2", "canary") == []
    windows.take(b"churn", live.to_bytes())
    windows.take(b"churn", replace(live, rows=live.rows + 1, absorbed=live.absorbed + 1).to_bytes())
    assert [one.result.rows for one in windows.of("churn", "2", "canary")] == [live.rows + 1]


def test_windows_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more windows of a deployment than may be kept those go that were told first."""
    monkeypatch.setattr(windows_module, "MAX_WINDOWS", 3)
    windows = Windows()
    windows.follow({"churn"})
    for number in range(5):
        windows.take(b"churn", drift("2", "canary", **hour(number)).to_bytes())
    starts = [one.result.window_start_ms for one in windows.of("churn", "2", "canary")]
    assert starts == [hour(number)["window_start_ms"] for number in (2, 3, 4)]


def test_many_windows_of_one_version_leave_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a bake time of days no more come of the champion before, and the new one is held against them."""
    monkeypatch.setattr(windows_module, "MAX_WINDOWS", 6)
    windows = Windows()
    windows.follow({"churn"})
    for number in range(2):
        windows.take(b"churn", drift("1", "champion", **hour(number)).to_bytes())
    for number in range(2, 20):
        windows.take(b"churn", drift("2", "champion", **hour(number)).to_bytes())
    assert [len(windows.of("churn", version, "champion")) for version in "12"] == [2, 4]
    for number in range(20):
        windows.take(b"churn", drift(f"of-a-stranger-{number}", "champion", **hour(number)).to_bytes())
    assert len(windows._kept["churn"]) <= 6
