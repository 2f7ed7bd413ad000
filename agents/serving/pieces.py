"""Pieces: a call of many rows, recorded a few thousand at a time, so that the event loop goes on in between.

What waits here is a copy: a model may answer the next request into the same arrays.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.serving.v2 import Ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from driftline.agents.serving.call import Call, Outputs
    from driftline.agents.serving.recording import Key
    from driftline.agents.serving.worth import Status

    Tell = Callable[[Key, Call, Outputs | None, float, Status], None]

PIECE_ROWS: Final = 2_048
"""Of a piece; a call of more is cut. They hold the loop for some milliseconds."""
MOST_BYTES: Final = 256 << 20
"""Of the copies that wait. What is more is told in one go, which holds the loop as long as it takes."""


class Pieces:
    """A copy of a call, and how far it was told.

    Args:
        key: deployment, version and slot.
        call: of any number of rows.
        outputs: of it; None where it failed.
        seconds: it took.
        status: of it.
    """

    def __init__(self, key: Key, call: Call, outputs: Outputs | None, seconds: float, status: Status) -> None:
        manifest = call.loaded.manifest
        told = {*(one.output for one in manifest.scores), manifest.predicted}
        named = {one.name for one in manifest.inputs if one.names}
        inputs = {name: array.copy() for name, array in call.request.ask.inputs.items() if name in named}
        self._outputs = (
            {name: one.copy() for name, one in outputs.items() if name in told} if outputs else None
        )
        self._call = replace(call, request=replace(call.request, ask=Ask("", inputs)))
        self.key, self._seconds, self._status = key, seconds, status
        self._at = 0
        self.size_bytes = sum(one.nbytes for one in (*inputs.values(), *(self._outputs or {}).values()))
        self.ended = asyncio.Event()
        """Set once all of it was told."""

    def tell(self, to: Tell, rows: int) -> bool:
        """Tell of so many rows more, in their order; say whether there are others behind them."""
        whole, part = self._call, slice(self._at, self._at + rows)
        inputs = _cut(whole.request.ask.inputs, part)
        outputs = None if self._outputs is None else _cut(self._outputs, part)
        status = self._status if isinstance(self._status, str) else self._status[part]
        request = replace(whole.request, ask=Ask("", inputs))
        count = min(rows, whole.rows - self._at)
        call = replace(whole, request=request, rows=count, first=whole.first + self._at, is_part=True)
        self._at += count
        to(self.key, call, outputs, self._seconds, status)
        return self._at < whole.rows


class Waiting:
    """Calls in pieces that wait, told one piece each time the event loop comes round.

    Args:
        tell: records a piece; never raises.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell, self._held = tell, deque[Pieces]()
        self._size_bytes = 0
        self._goes_on = False

    def take(self, pieces: Pieces) -> None:
        """Let a call wait, behind those that came before it; needs a running event loop."""
        self._held.append(pieces)
        self._size_bytes += pieces.size_bytes
        if not self._goes_on:
            self._goes_on = True
            asyncio.get_running_loop().call_soon(self._go_on)
        while self._size_bytes > MOST_BYTES:
            while self._held[0].tell(self._tell, PIECE_ROWS):
                pass
            self._end()

    async def ended(self) -> None:
        """Wait until all that waits now is told."""
        if self._held:
            await self._held[-1].ended.wait()

    @property
    def keys(self) -> set[Key]:
        """Deployments, versions and slots of which something waits."""
        return {one.key for one in self._held}

    def _go_on(self) -> None:
        # What came beyond the bound may have told all of it.
        if self._held and not self._held[0].tell(self._tell, PIECE_ROWS):
            self._end()
        self._goes_on = bool(self._held)
        if self._goes_on:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _end(self) -> None:
        ended = self._held.popleft()
        self._size_bytes -= ended.size_bytes
        ended.ended.set()


def _cut(arrays: dict[str, NDArray[Any]], part: slice) -> dict[str, NDArray[Any]]:
    return {name: array[part] for name, array in arrays.items()}
