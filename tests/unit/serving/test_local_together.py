"""Several local commands of one deployment: each holds until the controller knows of it, and none ends another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life
from office import EVIDENCE, Office
from served import Package
from signed import model, signed

from driftline.agents.control import moves
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.local import _answered
from driftline.schemas.control.command import Plan, Step

HALF = Plan(steps=(Step(weight=5_000, bake_s=60.0, min_rows=1),))


def run(folder: Path, whole: Callable[[Office, Life], Awaitable[None]]) -> None:
    """Run a test with an agent that has a champion, and half of the callers with a canary."""

    async def bounded() -> None:
        office = Office("low")
        life = Life(folder, office, Package("1", tier="low"), Package("2", tier="low"))
        life.hears()
        office.canary(plan=HALF)
        await life.catches_up()
        assert (life.slots.answering.version, life.slots.weight) == ("1", 5_000)
        async with asyncio.timeout(60):
            await whole(office, life)
        await life.end()

    asyncio.run(bounded())


async def says(office: Office, life: Life, op: Any, word: str, **fields: Any) -> bytes:
    """Give the agent a command itself; returns it."""
    office.now_ms += 1_000
    asked = signed(office.build(op, **fields), word).to_bytes()
    life.controlled.command(msgspec.json.encode({"command": asked.decode()}))
    await life.settled()
    return asked


@pytest.mark.parametrize(("op", "fields"), [("halt-rollout", {}), ("rollback", {"model": model("1")})])
def test_a_halt_is_ended_by_nothing_but_a_resume(tmp_path: Path, op: str, fields: dict[str, Any]) -> None:
    """What is asked for after it holds beside it, through a restart; the controller's resume lets it answer again."""

    async def whole(office: Office, life: Life) -> None:
        halt = await says(office, life, "halt-serving", "oli")
        assert life.slots.answering is None
        after = await says(office, life, op, "val" if op == "halt-rollout" else "oli", **fields)
        assert life.slots.answering is None
        again = Life(tmp_path, office, Package("1", tier="low"), Package("2", tier="low"))
        again.controlled.resume()
        await again.settled()
        assert again.slots.answering is None
        await again.end()
        office.send(halt)
        await life.catches_up()
        assert life.slots.answering is None
        assert [one.command for one in life.controlled.belief.local["churn"]] == [after.decode()]
        office.now_ms += 1_000
        office.does("resume", "oli", target="serving")
        await life.catches_up()
        assert life.slots.answering.version == "1"

    run(tmp_path, whole)


def test_a_canary_is_taken_back_here(tmp_path: Path) -> None:
    """Going back to the champion beside it takes the weight to nothing; it holds until the controller did the same."""

    async def whole(office: Office, life: Life) -> None:
        await says(office, life, "rollback", "oli", model=model("1"))
        assert (life.slots.answering.version, life.slots.weight, life.slots.canary) == ("1", 0, None)
        office.stepped()
        await life.catches_up()
        assert life.slots.weight == 0
        assert life.controlled.belief.local != {}
        office.does("rollback", "oli", model=model("1"))
        await life.catches_up()
        assert life.controlled.belief.local == {}
        assert (life.slots.answering.version, life.slots.weight) == ("1", 0)

    run(tmp_path, whole)


@pytest.mark.parametrize("whole_deployment", [False, True])
@pytest.mark.parametrize(("op", "ends"), [("rollback", {}), ("halt-serving", {"reason": "harms people"})])
def test_what_is_retired_answers_by_no_local_command(
    tmp_path: Path, op: str, ends: dict[str, str], *, whole_deployment: bool
) -> None:
    """Going back to a version ends when it is retired, or the deployment is; what is halted here stays halted."""

    async def whole(office: Office, life: Life) -> None:
        office.does("rollback", "oli", model=model("1"))
        office.does("validate", "val", model=model("2"), evidence=EVIDENCE)
        office.does("promote", "ann", model=model("2"))
        await life.catches_up()
        await says(office, life, op, "oli", model=model("1"), **ends)
        assert life.slots.answering.version == "1"
        office.now_ms += 2 * 3_600_000
        baked = moves.baked(office.state, office.desk.at(office.now_ms))
        assert not isinstance(baked, Refusal)
        office.told += office.desk.move(baked, "the bake time is over", office.now_ms)
        await life.catches_up()
        assert life.slots.answering.version == "1"
        office.does("retire", "sue", **({} if whole_deployment else {"model": model("1")}))
        await life.catches_up()
        stays = op == "halt-serving" and not whole_deployment
        assert bool(life.controlled.belief.local) == stays
        nobody = whole_deployment or stays
        assert getattr(life.slots.answering, "version", None) == (None if nobody else "2")

    run(tmp_path, whole)


def test_a_second_halt_of_a_rollout_raises_no_weight(tmp_path: Path) -> None:
    """The controller steps on, for it has not heard of the first one; the second one keeps what the first one kept."""

    async def bounded() -> None:
        office = Office("low")
        life = Life(tmp_path, office, Package("1", tier="low"), Package("2", tier="low"))
        life.hears()
        office.canary(plan=Plan(steps=(Step(weight=500, bake_s=60.0), Step(weight=5_000, bake_s=60.0))))
        await life.catches_up()
        await says(office, life, "halt-rollout", "oli")
        office.stepped()
        await life.catches_up()
        assert life.slots.weight == 500
        await says(office, life, "halt-rollout", "val")
        assert life.slots.weight == 500
        await life.end()

    asyncio.run(bounded())


def test_a_halt_that_cannot_be_kept_is_obeyed_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full: it holds now, and whoever gave it hears that a restart forgets it."""

    async def whole(office: Office, life: Life) -> None:
        def full(*_: object) -> None:
            raise ServingError("no space left on the disk")

        monkeypatch.setattr("driftline.agents.serving.controlled.keep", full)
        office.now_ms += 1_000
        asked = signed(office.build("halt-serving"), "oli").to_bytes()
        line = msgspec.json.encode({"command": asked.decode()})
        told = await _answered(life.controlled, line)
        await life.settled()
        assert life.slots.answering is None
        assert told == {
            "ok": True,
            "deployment": "churn",
            "warning": "it is obeyed, and a restart forgets it: no space left on the disk",
        }

    run(tmp_path, whole)
