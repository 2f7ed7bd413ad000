"""What is urgent waits for nobody: halts and ways back, while calls of an old version hang and packages load."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package, constant, loaded, until
from signed import model, signed

from driftline.agents.serving import work
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.swap import _is_urgent


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
        loads = [
            asyncio.create_task(work.in_thread(lambda: go_on.wait(30), lambda _: None)) for _ in range(20)
        ]
        await until(lambda: work.under_way() == 20)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "at once"), 5.0) == "at once"
        for one in loads[10:]:
            one.cancel()
        go_on.set()
        assert await asyncio.gather(*loads[:10]) == [True] * 10
        await until(lambda: work.under_way() == 0)

    asyncio.run(whole())


def test_what_is_urgent() -> None:
    """A halt, the champion before again, a canary taken back; not a promotion, a canary, a shadow."""

    def version(number: str) -> Any:
        def answer(inputs: Mapping[str, Any]) -> dict[str, Any]:
            return constant(1.0)(inputs)

        return loaded(number, answer)

    one, two, three = version("1"), version("2"), version("3")
    baking = Slots(champion=two, previous=one)
    tried = Slots(champion=one, canary=two, rollout_id="r", weight=500)
    assert _is_urgent(baking, Slots(champion=two, halted="why"))
    assert _is_urgent(baking, Slots(champion=one))
    assert _is_urgent(tried, Slots(champion=one))
    assert not _is_urgent(Slots(champion=one), baking)
    assert not _is_urgent(Slots(champion=one), tried)
    assert not _is_urgent(baking, Slots(champion=two, shadows=(three,), previous=one))
