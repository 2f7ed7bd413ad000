"""Room in need: a halt, and a way back, take the room of all that answers nobody, and wait for no other's load first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from office import PLAN, Office
from served import Package, Shelf
from signed import model

from driftline.agents.control.moves import baked
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


def world(most: int, **sizes: int) -> tuple[Office, list[Package], Callable[[], int]]:
    """Return an office that knows versions 1, 2 and so on, their packages, and what is free of so many bytes."""
    office = Office("low")
    packages = [Package(name[1:], tier="low", memory_bytes=some) for name, some in sizes.items()]
    for one in packages:
        office.registered(one.version)

    def free_bytes() -> int:
        held = ((one.memory_bytes, made) for one in packages for made in one.made)
        return most - sum(some for some, made in held if not made.is_closed.is_set())

    return office, packages, free_bytes


def bakes(office: Office) -> None:
    """Let the bake time end: there is no previous champion any more."""
    office.now_ms = office.state.bake_until_ms + 1
    office.desk.move(baked(office.state, office.desk.at(office.now_ms)), "baked", office.now_ms)


def test_a_canary_gives_its_room_to_what_answers_in_a_halt() -> None:
    """In a halt it answers nobody; it is loaded again once the champion answers."""
    office, packages, free_bytes = world(100, v1=30, v2=60, v3=45)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("3"))
        office.does("promote", "ann", model=model("1"))
        bakes(office)
        office.does("canary", "ann", model=model("2"), plan=PLAN)
        assert await swapper.activate(office.state) is None
        office.does("halt-serving", "oli", model=model("3"))
        assert "churn 2 takes 60 bytes" in (await swapper.activate(office.state) or "")
        assert swapper.deployment.slots.answering.version == "3"  # type: ignore[union-attr]
        office.does("resume", "oli", target="serving")
        assert await swapper.activate(office.state) is None
        slots = swapper.deployment.slots
        assert (slots.champion.version, slots.canary.version) == ("1", "2")  # type: ignore[union-attr]

    asyncio.run(whole())
