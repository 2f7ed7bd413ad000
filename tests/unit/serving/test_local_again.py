"""A command that went through the controller, given to an agent itself once more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package
from signed import signed

from driftline.agents.serving.errors import ServingError


def test_a_command_that_the_controller_carried_out_is_not_obeyed_again_here(tmp_path: Path) -> None:
    """A halt of minutes ago, copied off its topic, ends no service that somebody resumed since; a new one does."""
    office = Office("low")

    def halt() -> tuple[bytes, bytes]:
        asked = signed(office.build("halt-serving"), "oli").to_bytes()
        return asked, msgspec.json.encode({"command": asked.decode()})

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created()
        asked, line = halt()
        office.send(asked)
        await life.catches_up()
        with pytest.raises(ServingError, match="or on a later one"):
            life.controlled.command(line)
        office.now_ms += 1_000
        office.does("resume", "oli", target="serving")
        await life.catches_up()
        with pytest.raises(ServingError, match="or on a later one"):
            life.controlled.command(line)
        assert life.slots.answering.version == "1"
        life.controlled.command(halt()[1])
        await life.settled()
        assert life.slots.answering is None
        await life.end()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await whole()

    asyncio.run(bounded())
