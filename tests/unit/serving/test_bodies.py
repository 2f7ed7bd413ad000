"""Bodies are bounded each and all together, and what was answered makes room again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from driftline.agents.serving.errors import AnswerError
from driftline.agents.serving.http import Bodies


def coming(*pieces: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return a body that comes in these pieces."""
    left = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    left[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


@pytest.mark.parametrize("pieces", [(b"x" * 60,), (b"x" * 30, b"x" * 30)], ids=["whole", "in pieces"])
def test_bodies_are_bounded_together(pieces: tuple[bytes, ...]) -> None:
    """One that fits alone and not beside the others is refused with 503 for a second, until one of them is answered."""

    async def whole() -> None:
        bodies = Bodies(each=100, together=150, timeout_s=60.0)
        held = await bodies.read(None, coming(b"y" * 100))
        with pytest.raises(AnswerError, match=r"the bodies under way take 1\d0 bytes already") as refused:
            await bodies.read(None, coming(*pieces))
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)
        assert (bodies.held, bodies.has_room(50), bodies.has_room(51)) == (100, True, False)
        bodies.release(len(held))
        assert await bodies.read(None, coming(*pieces)) == b"x" * 60
        assert bodies.held == 60

    asyncio.run(whole())


@pytest.mark.parametrize("pieces", [(b"x" * 101,), (b"x" * 60, b"x" * 41)], ids=["whole", "in pieces"])
def test_a_body_is_bounded_alone(pieces: tuple[bytes, ...]) -> None:
    """One that is too long is refused with 413, and nothing of it is held."""

    async def whole() -> None:
        bodies = Bodies(each=100, together=1_000, timeout_s=60.0)
        with pytest.raises(AnswerError, match="100 are allowed") as refused:
            await bodies.read(None, coming(*pieces))
        assert (refused.value.status, bodies.held) == (413, 0)

    asyncio.run(whole())
