"""Room that is not found: the sentence says what helps, by what is in memory."""

from __future__ import annotations

import asyncio

import pytest
from office import PLAN
from roomy import bakes, world
from served import Shelf
from signed import model

from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.means import Means
from driftline.agents.serving.swap import Swapper


@pytest.mark.parametrize(
    ("stands", "said"),
    [
        ("canary", "beside churn 2, churn 3: roll the canary back, or give more memory"),
        ("shadow", "beside churn 2: give more memory"),
    ],
)
def test_a_way_back_that_finds_no_room_says_what_helps(stands: str, said: str) -> None:
    """A shadow gave its room, and no plan lets a way back be cold; a canary answers until it is taken back."""
    office, packages, free_bytes = world(100, v1=75, v2=20, v3=15)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        if stands == "canary":
            office.does("canary", "ann", model=model("3"), plan=PLAN)
        else:
            packages[0].memory_bytes = 85
            office.does("shadow", "ann", model=model("3"))
        assert await swapper.activate(office.state) is None
        office.ask("rollback", "oli", model=model("1"))
        with pytest.raises(SwapError, match=said):
            await swapper.prepare(office.state)

    asyncio.run(whole())


def test_a_promotion_that_finds_no_room_is_told_of_the_shadow() -> None:
    """With no previous champion in memory, a cold rollback would leave none."""
    office, packages, free_bytes = world(100, v1=40, v2=40, v3=40)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("1"))
        office.does("shadow", "ann", model=model("2"))
        assert await swapper.activate(office.state) is None
        office.ask("promote", "ann", model=model("3"))
        with pytest.raises(SwapError, match="beside churn 1, churn 2: retire a shadow, or give more memory"):
            await swapper.prepare(office.state)

    asyncio.run(whole())


def test_a_resumption_that_finds_no_room_says_the_way_out() -> None:
    """What answers instead is stopped for nothing that may not load: people halt without it first, and resume."""
    office, packages, free_bytes = world(100, v1=50, v2=60)

    async def whole() -> None:
        swapper = Swapper("churn", Means(Shelf(*packages).fetch, free_bytes, drain_s=1.0))
        office.does("create", "ann", model=model("1"))
        office.does("promote", "ann", model=model("2"))
        bakes(office)
        await swapper.activate(office.state)
        office.does("halt-serving", "oli", model=model("1"))
        await swapper.activate(office.state)
        office.does("resume", "oli", target="serving")
        with pytest.raises(
            SwapError, match="beside churn 1: halt serving without a version, then resume, or"
        ):
            await swapper.activate(office.state)
        assert swapper.deployment.slots.answering.version == "1"  # type: ignore[union-attr]
        office.does("halt-serving", "oli")
        await swapper.activate(office.state)
        office.does("resume", "oli", target="serving")
        assert await swapper.activate(office.state) is None
        assert swapper.deployment.slots.answering.version == "2"  # type: ignore[union-attr]

    asyncio.run(whole())
