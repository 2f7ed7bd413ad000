"""What an agent makes of states that no controller of its installation signed, and of deployments that nobody has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from believing import Life
from office import Office
from served import Package

from driftline.agents.serving.doubts import DOUBT_S, Doubts


def lived(folder: Path, whole: Callable[[Life, Office], Awaitable[None]]) -> None:
    """Let an agent begin in an installation that has made version 1 champion."""
    office = Office("low")
    office.created()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            life = Life(folder, office, Package("1", tier="low"))
            life.hears()
            await whole(life, office)
            await life.end()

    asyncio.run(bounded())


def test_whose_signature_counts(tmp_path: Path) -> None:
    """That of a controller, on a state of the deployment under whose name it lies."""

    async def whole(life: Life, office: Office) -> None:
        assert life.controlled.unsigned("churn", office.published()) is None
        for deployment, data, said in (
            ("churn", office.published(word="ann"), "no key of a controller"),
            ("fraud", office.published(), "is that of churn, not of fraud"),
            ("churn", b"{}", "no envelope"),
        ):
            assert said in (life.controlled.unsigned(deployment, data) or "")

    lived(tmp_path, whole)


def test_the_revision_that_a_forged_state_claims_is_told(tmp_path: Path) -> None:
    """The controller knows by it which of its own states somebody forged."""

    async def whole(life: Life, office: Office) -> None:
        doubts = Doubts(life.controlled)
        doubts.take("churn", office.published(word="ann"), 0, 0.0)
        doubts.look(0.0)
        doubts.look(DOUBT_S)
        assert life.outcomes() == [(office.state.revision, "refused")]

    lived(tmp_path, whole)


def test_deployments_that_nobody_serves_are_not_remembered(tmp_path: Path) -> None:
    """Of names that somebody invents no metric is made, and no log: what is no name is served by nobody."""

    async def whole(life: Life, _office: Office) -> None:
        for number in range(10):
            life.controlled.refused(f"invented-{number}", 1, "it is forged", "")
        text = [
            (one.labels["deployment"], one.value)
            for family in life.agent.registry.collect()
            for one in family.samples
            if one.name == "driftline_serving_swaps_total"
        ]
        assert text == [("unknown", 10.0)]
        assert life.controlled.wants("churn")
        for name in ("", "a" * 101, "churn\nwarning", "*"):
            assert not life.controlled.wants(name)

    lived(tmp_path, whole)
