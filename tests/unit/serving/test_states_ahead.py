"""States that come before the audit tells of them, or behind which others are written: the newest is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from believing import Life
from office import Office
from served import Package
from signed import model

from driftline.agents.serving.awaited import MOST, Awaited
from driftline.agents.serving.doubts import AHEAD_S, MOST_SIGNED, Doubts
from driftline.agents.serving.newest import AGAIN_LOOKS
from driftline.agents.serving.told import digest_of

Whole = Callable[[Life, Office, Doubts], Awaitable[None]]


def lived(folder: Path, whole: Whole) -> None:
    """Let an agent believe the first champion, and follow the topic of states from then on."""
    office = Office("low")

    async def bounded() -> None:
        async with asyncio.timeout(60):
            life = Life(folder, office, Package("1", tier="low"), Package("2", tier="low"))
            life.hears()
            office.created()
            await life.sees(*office.told)
            doubts = Doubts(life.controlled)
            doubts.look(0.0)
            await whole(life, office, doubts)
            await life.end()

    asyncio.run(bounded())


async def halted(life: Life) -> bool:
    """Say whether what is carried out is a halt."""
    await life.settled()
    return life.slots.halted is not None


@pytest.mark.parametrize("late_s", [0.2, 12.0, 55.0, 600.0])
def test_a_state_waits_for_its_record_as_long_as_that_takes(tmp_path: Path, late_s: float) -> None:
    """It is carried out with the first look after its record; none is told of as refused that comes within a minute."""

    async def whole(life: Life, office: Office, doubts: Doubts) -> None:
        office.does("halt-serving", "oli")
        doubts.take("churn", office.published(), 10, 1.0)
        for at in range(round(late_s * 5)):
            doubts.look(1.0 + at / 5)
        assert not await halted(life)
        life.follows()
        doubts.look(1.0 + late_s)
        assert await halted(life)
        refused = [one for one in life.outcomes() if one[1] == "refused"]
        assert len(refused) == (late_s > AHEAD_S)

    lived(tmp_path, whole)


def test_many_states_before_their_records_are_all_believed(tmp_path: Path) -> None:
    """Once a second, more than are told of in a minute: the halt after them is carried out."""

    async def whole(life: Life, office: Office, doubts: Doubts) -> None:
        for at in range(2 * MOST_SIGNED):
            office.does("register", "ann", model=model(str(10 + at)), manifest="e30=", profile="cd" * 32)
            doubts.take("churn", office.published(), 10 + at, float(at))
            doubts.look(float(at))
            life.follows()
            doubts.look(at + 0.2)
            assert life.controlled.belief.believed["churn"].state == office.state
        office.does("halt-serving", "oli")
        doubts.take("churn", office.published(), 99, 50.0)
        doubts.look(50.0)
        life.follows()
        doubts.look(50.2)
        assert await halted(life)

    lived(tmp_path, whole)


@pytest.mark.parametrize("is_heard", [True, False])
@pytest.mark.parametrize("which", [-1, -2])
def test_an_old_state_behind_the_true_one_holds_nothing_up(
    tmp_path: Path, which: int, *, is_heard: bool
) -> None:
    """Whoever may write the topic shows the believed state again, or an older one, a hundred times behind each."""

    async def whole(life: Life, office: Office, doubts: Doubts) -> None:
        shown = [office.published(one.after) for one in office.told if one.after is not None][which]
        for at in range(3 * MOST_SIGNED):
            doubts.take("churn", shown, 10 + at, 1.0)
            doubts.look(1.0)
        office.does("halt-serving", "oli")
        if is_heard:
            life.follows()
        doubts.take("churn", office.published(), 100, 2.0)
        for at in range(100):
            doubts.take("churn", shown, 101 + at, 2.0)
        doubts.look(2.0)
        life.follows()
        doubts.look(2.2)
        assert await halted(life)

    lived(tmp_path, whole)


def test_a_state_that_never_comes_is_silence(tmp_path: Path) -> None:
    """The audit tells of a newer one, which the topic has no more: past `max_stale_s` the old one answers nobody."""

    async def whole(life: Life, office: Office, _doubts: Doubts) -> None:
        async def suspended() -> str | None:
            watching = asyncio.create_task(life.controlled.watch())
            await asyncio.sleep(0)
            watching.cancel()
            return life.agent.swappers["churn"].deployment.suspended

        office.does("halt-serving", "oli")
        life.follows()
        life.controlled.news()
        assert await suspended() is None
        life.controlled._silence._behind_s["churn"] -= office.state.max_stale_s + 1
        life.controlled.news()
        assert "nothing was heard of its state" in str(await suspended())
        life.controlled.keep("churn", office.published())
        life.controlled.settle()
        assert await suspended() is None
        assert await halted(life)

    lived(tmp_path, whole)


def test_what_is_believed_waits_no_more(tmp_path: Path) -> None:
    """Copies of it, however they are written, take no room; the next one is kept, in its newest envelope."""

    async def whole(life: Life, office: Office, _doubts: Doubts) -> None:
        newest = life.controlled.belief.newest
        for space in range(5):
            life.controlled.keep("churn", office.published() + b" " * space)
        assert list(newest._awaited) == []
        office.does("halt-serving", "oli")
        for space in range(5):
            life.controlled.keep("churn", office.published() + b" " * space)
        digest = digest_of(office.published())
        assert newest._awaited.get("churn", digest) == office.published() + b" " * 4
        life.follows()
        life.controlled.settle()
        assert await halted(life)
        assert (list(newest._awaited), newest.due()) == ([], [])

    lived(tmp_path, whole)


def test_one_that_is_not_believed_is_looked_at_again_after_a_while(tmp_path: Path) -> None:
    """Not at each record of the audit: after fifty looks, or when trust changes."""

    async def whole(life: Life, office: Office, _doubts: Doubts) -> None:
        newest = life.controlled.belief.newest
        office.does("halt-serving", "oli")
        life.follows()
        life.controlled.keep("churn", office.published())
        assert len(newest.due()) == 1
        assert [len(newest.due()) for _ in range(AGAIN_LOOKS)] == [0] * (AGAIN_LOOKS - 1) + [1]
        newest.again()
        assert len(newest.due()) == 1

    lived(tmp_path, whole)


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one deployment the first go, of all those of the deployment that waits longest."""
    monkeypatch.setattr("driftline.agents.serving.awaited.MOST_BYTES", 50)
    awaited = Awaited()
    for number in range(2 * MOST):
        awaited.keep("churn", str(number), b"x")
        awaited.keep("churn", str(number), b"x")
    assert [number for number in range(2 * MOST) if awaited.get("churn", str(number))] == list(
        range(MOST, 2 * MOST)
    )
    awaited.keep("fraud", "a", b"y" * 40)
    awaited.keep("churn", "again", b"x" * 11)
    assert list(awaited) == ["churn"]
    awaited.keep("fraud", "a", b"y" * 48)
    assert list(awaited) == ["fraud"]
    awaited.prune("fraud", lambda *_: False)
    assert list(awaited) == []
