"""An agent in its first life: when it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from believing import Life
from office import Office
from served import Package

from driftline.agents.serving.controlled import CATCH_UP_S


def lived(folder: Path, then: Callable[[Life, Office, Package], Awaitable[None]]) -> None:
    """Let an agent begin that never heard of anything, in an installation that has made version 1 champion."""
    office, package = Office("low"), Package("1", tier="low")
    office.created()

    async def whole() -> None:
        async with asyncio.timeout(60):
            life = Life(folder, office, package)
            life.controlled.resume()
            life.hears()
            await then(life, office, package)
            await life.end()

    asyncio.run(whole())


def test_it_is_not_ready_before_it_heard_all_there_is(tmp_path: Path) -> None:
    """Also when one deployment serves already, however long that takes: another one's state may be in doubt."""

    async def then(life: Life, _office: Office, _package: Package) -> None:
        assert life.agent.app._unready() == "no state was heard yet"
        await life.catches_up()
        assert life.slots.champion.version == "1"
        life.controlled._began_s -= CATCH_UP_S
        assert life.agent.app._unready() == "no state was heard yet"
        life.controlled.news()
        await asyncio.sleep(0)
        assert life.agent.app._unready() is None

    lived(tmp_path, then)


def test_it_is_not_ready_while_a_champion_is_loaded(tmp_path: Path) -> None:
    """It would answer 503 to whoever asks for it."""

    async def then(life: Life, office: Office, package: Package) -> None:
        package.may_load.clear()
        life.controlled.state("churn", office.published())
        life.controlled.news()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert life.agent.app._unready() == "churn: it has not begun yet"
        package.may_load.set()
        await life.settled()
        assert life.agent.app._unready() is None
        assert life.slots.champion.version == "1"

    lived(tmp_path, then)


def test_an_agent_of_a_deployment_without_a_state_is_ready(tmp_path: Path) -> None:
    """Once it heard that there is none."""

    async def then(life: Life, _office: Office, _package: Package) -> None:
        life.controlled.news()
        await asyncio.sleep(0)
        assert life.agent.app._unready() is None

    lived(tmp_path, then)
