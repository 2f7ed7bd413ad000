"""The unix socket for halts: its owner's alone, and bounded in callers and bytes."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path
from typing import Any, cast

from driftline.agents.serving.controlled import Controlled
from driftline.agents.serving.local import ABOUT, CALLERS, MOST_BYTES, NAME, ask, listen


class Silent:
    """Stands where the agent's controlled part does: it tells of itself alone."""

    def about(self) -> dict[str, Any]:
        """What is served: nothing."""
        return {"serves": []}


async def answer(folder: Path, line: bytes) -> bytes:
    """Send a line and give what comes back, nothing when the connection is closed."""
    reader, writer = await asyncio.open_unix_connection(str(folder / NAME))
    writer.write(line)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def test_the_socket_is_its_owners(tmp_path: Path) -> None:
    """It has mode 0600, and answers."""

    async def run() -> bytes:
        server = await listen(cast("Controlled", Silent()), tmp_path)
        assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
        said = await answer(tmp_path, ABOUT)
        server.close()
        return said

    assert b'"serves":[]' in asyncio.run(run())


def test_a_socket_that_is_closed_is_taken_away(tmp_path: Path) -> None:
    """Nobody answers there any more; the one that another agent has put in its place stays."""

    async def run() -> None:
        first = await listen(cast("Controlled", Silent()), tmp_path)
        second = await listen(cast("Controlled", Silent()), tmp_path)
        first.close()
        assert b'"serves":[]' in await answer(tmp_path, ABOUT)
        second.close()
        assert not (tmp_path / NAME).exists()
        second.close()

    asyncio.run(run())


def test_callers_and_lines_are_bounded(tmp_path: Path) -> None:
    """One caller more than there are places is sent away, and one who sends no end of a line too."""

    async def run() -> None:
        server = await listen(cast("Controlled", Silent()), tmp_path)
        assert await answer(tmp_path, b"x" * (3 * MOST_BYTES)) == b""
        idle = [await asyncio.open_unix_connection(str(tmp_path / NAME)) for _ in range(CALLERS)]
        assert await answer(tmp_path, ABOUT) == b""
        for _, writer in idle:
            writer.close()
        said = b""
        while not said:
            said = await answer(tmp_path, ABOUT)
        server.close()

    asyncio.run(run())


def test_an_agent_of_many_deployments_tells_of_them_all(tmp_path: Path) -> None:
    """What is asked first in an emergency is answered however long it is: a hundred deployments of 64 versions."""
    names = [f"{number:03}" + "d" * 97 for number in range(100)]
    about = {"serves": names, "versions": {name: [{"manifest": "ab" * 32}] * 64 for name in names}}

    class Large(Silent):
        def about(self) -> dict[str, Any]:
            return about

    async def run() -> dict[str, Any]:
        server = await listen(cast("Controlled", Large()), tmp_path)
        try:
            return await asyncio.to_thread(ask, tmp_path / NAME, ABOUT)
        finally:
            server.close()

    assert asyncio.run(run()) == {"ok": True, **about}
