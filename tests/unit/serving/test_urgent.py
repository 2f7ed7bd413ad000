"""What is urgent waits for nobody: halts and ways back, while calls of an old version hang and packages load."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life
from office import PLAN, Office
from served import Package, Shelf, until
from signed import model, signed

from driftline.agents.control.moves import baked
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving import work
from driftline.agents.serving.lease import Lease
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def said(office: Office, op: Any, **fields: Any) -> bytes:
    """A command for the agent itself."""
    office.now_ms += 1_000
    asked = signed(office.build(op, **fields), "oli").to_bytes()
    return msgspec.json.encode({"command": asked.decode()})


@pytest.mark.parametrize(("op", "fields"), [("halt-serving", {}), ("rollback", {"model": model("1")})])
def test_a_call_that_hangs_holds_up_no_halt_and_no_way_back(
    tmp_path: Path, op: str, fields: dict[str, Any]
) -> None:
    """Though a generation drains since the last change, which may take twice a request's time."""

    async def whole() -> None:
        office = Office("low")
        life = Life(
            tmp_path, office, Package("1", tier="low"), Package("2", tier="low"), request_seconds=30.0
        )
        life.hears()
        office.created("1")
        await life.catches_up()
        deployment = life.agent.swappers["churn"].deployment
        hung = deployment.lease(life.slots.champion)
        office.registered("2")
        office.does("promote", "ann", model=model("2"))
        await life.catches_up()
        assert (life.slots.answering.version, deployment.is_draining) == ("2", True)
        began_s = time.monotonic()
        life.controlled.command(said(office, op, **fields))
        await life.settled()
        assert time.monotonic() - began_s < 5.0
        assert getattr(life.slots.answering, "version", None) == (None if op == "halt-serving" else "1")
        hung.release()
        await life.end()

    asyncio.run(whole())


def test_what_loads_takes_no_thread_of_anything_else() -> None:
    """However many packages load, a halt, a large request and a stop find a thread at once; turns are bounded."""
    go_on = threading.Event()

    async def whole() -> None:
        churn = work.Work("churn", work.Turns())
        loads = [asyncio.create_task(churn.do(lambda: go_on.wait(30), lambda _: None)) for _ in range(20)]
        await until(lambda: work.under_way() == work.AT_ONCE)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "at once"), 5.0) == "at once"
        for one in loads[10:]:
            one.cancel()
        go_on.set()
        assert await asyncio.gather(*loads[:10]) == [True] * 10
        await until(lambda: work.under_way() == 0)

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("changes", "is_urgent"),
    [
        (("canary", "back"), True),
        (("promote", "back"), True),
        (("promote", "baked", "back"), True),
        (("promote", "promote 3", "back"), True),
        (("promote", "back", "promote 3"), False),
        (("promote", "promote 3"), False),
        (("canary", "promote"), False),
        (("promote", "canary 3"), False),
    ],
)
def test_whoever_is_taken_back_waits_for_no_call(changes: tuple[str, ...], *, is_urgent: bool) -> None:
    """Back to an earlier champion, or from a canary: at once, though calls of before hang; all else waits for them."""
    office = Office("low")

    async def whole() -> None:
        shelf = Shelf(*(Package(str(n), tier="low") for n in range(1, 4)))
        swapper = Swapper("churn", Means(shelf.fetch, lambda: 100, drain_s=3_600.0))
        for number in "123":
            office.registered(number)
        office.does("create", "ann", model=model("1"))
        await swapper.activate(office.state)
        for change in changes[:-1]:
            changed(office, change)
            await swapper.activate(office.state)
        hung = hanging(swapper)
        changed(office, changes[-1])
        following = asyncio.ensure_future(swapper.activate(office.state))
        _, waits = await asyncio.wait([following], timeout=0.2 if not is_urgent else 30.0)
        assert bool(waits) != is_urgent
        hung.release()
        await following

    asyncio.run(whole())


def changed(office: Office, change: str) -> None:
    """Let something change; version 2 is meant where none is named, and version 1 is gone back to."""
    office.now_ms += 1_000
    word, _, number = change.partition(" ")
    if word == "back":
        office.does("rollback", "oli", model=model("1"))
    elif word == "canary":
        office.does("canary", "ann", model=model(number or "2"), plan=PLAN)
    elif word == "promote":
        for _ in PLAN.steps if office.state.rollout is not None else ():
            office.stepped()
        office.does("promote", "ann", model=model(number or "2"))
    else:
        office.now_ms += 10_000_000
        made = baked(office.state, office.desk.at(office.now_ms))
        assert not isinstance(made, Refusal)
        office.told += office.desk.move(made, "its bake time is over", office.now_ms)


def hanging(swapper: Swapper) -> Lease:
    """Return a call of the champion that hangs, its generation draining since just now."""
    deployment = swapper.deployment
    champion = deployment.slots.champion
    assert champion is not None
    hung = deployment.lease(champion)
    swapper._turning.at_once(replace(deployment.slots, weight=deployment.slots.weight + 1))
    return hung
