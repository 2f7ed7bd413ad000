"""The bake time of a new champion: what takes it back, and that a hard time does not."""

from __future__ import annotations

import pytest
from clerked import Room
from controlled import package
from rollout_windows import ONE, TWO, drift, good, hour, later, on_canary, show, truth

from driftline.schemas.control.command import Plan, Step
from driftline.schemas.window import WindowResult


def before(*aucs: float) -> list[WindowResult]:
    """Return the last hours of the champion before; the very last one it may not have answered whole."""
    told = [*(aucs or (0.8,) * 4), 0.8]
    hours = range(1 - len(told), 1)
    results = [drift("1", "champion", **hour(number)) for number in hours]
    return results + [
        truth("1", "champion", auc=auc, **hour(number)) for auc, number in zip(told, hours, strict=True)
    ]


def promoted() -> Room:
    """Version 2 was promoted over version 1."""
    room = Room()
    room.registered("1", "2")
    room.ask("create", "ann", model=ONE)
    room.turn()
    room.now_ms += 10_000
    room.ask("promote", "ann", model=TWO)
    room.turn()
    room.turn()
    return room


@pytest.mark.parametrize(
    ("aucs", "auc", "moves"),
    [
        ((0.8, 0.8, 0.8, 0.8), 0.73, True),
        ((0.72, 0.84, 0.76, 0.88), 0.73, False),
        ((0.72, 0.84, 0.76, 0.88), 0.5, True),
        ((0.8, 0.8, 0.8), 0.5, False),
    ],
)
def test_a_hard_time_is_no_fault_of_a_new_champion(
    aucs: tuple[float, ...], auc: float, *, moves: bool
) -> None:
    """Worse than before is what one more window of the champion before would not be; four of it show what would."""
    room = promoted()
    show(room, *before(*aucs))
    room.now_ms += 1_000
    for number in (1, 2, 3):
        show(room, drift("2", "champion", **hour(number)), truth("2", "champion", auc=auc, **hour(number)))
    assert [one.event for one in later(room, 2)] == (["moved"] if moves else [])


def test_a_new_champion_that_is_worse_is_gone_back_from() -> None:
    """In its bake time its windows are held against the last ones of the champion before it."""
    room = promoted()
    show(room, *before())
    room.now_ms += 1_000
    show(room, *good("2", "champion", **hour(1)))
    assert [one for one in later(room, 2) if one.event == "moved"] == []
    worse = [drift("2", "champion", **hour(2)), truth("2", "champion", auc=0.6, **hour(2))]
    show(room, *worse, *[truth("2", "champion", auc=0.6, **hour(3))])
    moved = later(room, 2)[-1]
    assert moved.reasons[0].startswith("gone back, worse than the champion before: performance (worse: auc ")
    assert room.state is not None
    assert room.state.champion == ONE


def is_bad(room: Room) -> None:
    """Let windows say that version 2 is worse than the champion before it."""
    room.now_ms += 1_000
    show(room, *before())
    room.now_ms += 1_000
    for number in (1, 2, 3):
        show(room, drift("2", "champion", errors=0.3, **hour(number)))
        show(room, truth("2", "champion", auc=0.5, **hour(number)))


def test_a_canary_that_begins_meanwhile_holds_up_no_going_back() -> None:
    """The worse champion goes, and with it the canary that was held against it."""
    room = promoted()
    room.registered("3")
    plan = Plan(steps=(Step(weight=100, bake_s=60, min_rows=10),))
    room.ask("canary", "ann", model=package("3").model, plan=plan)
    room.turn()
    assert room.state is not None
    assert room.state.rollout is not None
    is_bad(room)
    moved = later(room, 2)[-1]
    assert moved.reasons[0].startswith("gone back, worse than the champion before: ")
    assert (room.state.champion, room.state.rollout) == (ONE, None)


@pytest.mark.parametrize(("bake_s", "goes_back"), [(0.0, False), (3_600.0, True), (86_400.0, True)])
def test_a_champion_that_is_affirmed_bakes_anew(bake_s: float, *, goes_back: bool) -> None:
    """For as long as that command says, from then on; none at all, if it says so, lets the one before it go."""
    room = promoted()
    room.now_ms += 1_000
    room.ask("promote", "ann", model=TWO, plan=Plan(bake_s=bake_s))
    assert room.state is not None
    assert room.state.bake_until_ms == (room.now_ms + round(bake_s * 1_000) if goes_back else 0)
    room.turn()
    assert (room.state.previous is None) is not goes_back
    is_bad(room)
    later(room, 2)
    assert room.state.champion == (ONE if goes_back else TWO)


def test_while_serving_is_halted_windows_go_back_to_nothing() -> None:
    """Whoever halted decides what answers next; once serving goes on, windows decide again."""
    room = promoted()
    show(room, *before())
    room.ask("halt-serving", "oli")
    worse = [
        (drift("2", "champion", **hour(n)), truth("2", "champion", auc=0.6, **hour(n))) for n in (1, 2, 3)
    ]
    room.now_ms += 1_000
    show(room, *(one for each in worse for one in each))
    assert [one for one in later(room, 2) if one.event == "moved"] == []
    room.ask("resume", "oli", target="serving")
    assert [one.event for one in later(room, 2)] == ["moved"]


def old_champion_as_shadow() -> Room:
    """Version 2 was promoted over version 1, which is asked beside it since."""
    room = Room()
    room.registered("1", "2")
    room.ask("create", "ann", model=ONE)
    room.turn()
    room.ask("promote", "ann", model=TWO)
    room.turn()
    room.turn()
    show(room, *before())
    room.ask("shadow", "ann", model=ONE)
    room.turn()
    room.now_ms += 1_000
    return room


def test_a_canary_that_has_passed_is_watched_on() -> None:
    """It waits for people, and labels come late: what is worse by then is taken back, and nothing else happens."""
    room = on_canary()
    for number in (1, 2, 3, 4):
        show(room, *good("2", "canary", **hour(number)), *good("1", "champion", **hour(number)))
        later(room, 61)
    assert room.state is not None
    assert room.state.rollout is not None
    assert room.state.rollout.passed
    show(room, *good("2", "canary", **hour(5)), *good("1", "champion", **hour(5)))
    assert [one for one in later(room, 5 * 86_400) if one.event == "moved"] == []
    show(room, drift("2", "canary", errors=0.9, **hour(6)), truth("2", "canary", auc=0.5, **hour(6)))
    show(room, *good("1", "champion", **hour(6)))
    moved = later(room, 2)[-1]
    assert moved.reasons[0].startswith("taken back at step 2 of 2, worse than the champion: ")
    assert (room.state.champion, room.state.rollout) == (ONE, None)


def test_a_new_champion_is_held_against_the_shadow_of_the_one_before_it() -> None:
    """Asked beside it in the same hours the old one is as bad: the hours are hard, and nobody goes back."""
    room = old_champion_as_shadow()
    for slot, version in (("champion", "2"), ("shadow", "1")):
        show(room, drift(version, slot, **hour(2)), truth(version, slot, auc=0.6, **hour(2)))
    assert [one for one in later(room, 2) if one.event == "moved"] == []
    show(room, drift("2", "champion", **hour(3)), truth("2", "champion", auc=0.5, **hour(3)))
    show(room, drift("1", "shadow", **hour(3)), truth("1", "shadow", auc=0.6, **hour(3)))
    moved = later(room, 2)[-1]
    assert moved.reasons[0].startswith("gone back, worse than the champion before: performance (worse: auc ")


def test_a_shadow_that_says_little_does_not_silence_the_comparison_with_before() -> None:
    """A window of three calls answers for nothing: the last windows of the champion before decide. A whole one does."""
    room = old_champion_as_shadow()
    show(room, drift("1", "shadow", **hour(2)), drift("2", "champion", **hour(2)))
    show(room, truth("2", "champion", auc=0.6, **hour(2)))
    assert [one for one in later(room, 2) if one.event == "moved"] == []
    show(room, drift("1", "shadow", rows=3, **hour(3)), drift("2", "champion", rows=9_000, **hour(3)))
    show(room, truth("2", "champion", auc=0.6, **hour(3)))
    moved = later(room, 2)[-1]
    assert moved.reasons[0].startswith("gone back, worse than the champion before: performance (worse: auc ")
