"""Awaited: states that a controller signed, and that wait for their record of the audit, or to be believed.

A state and the record that tells of it lie in two topics, and come in either order. What is kept here is believed once
the audit names it as the newest, whatever is written over it meanwhile, and however long its record takes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST: Final = 8
"""Of one deployment; the one that came first goes."""
MOST_BYTES: Final = 32 << 20
"""Of all; with more, those of the deployment go of which nothing came for longest."""


class Awaited:
    """Envelopes, by deployment and digest."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, dict[str, bytes]] = OrderedDict()
        self._bytes = 0

    def keep(self, deployment: str, digest: str, data: bytes) -> None:
        """Keep one, in place of the same state in another envelope."""
        held = self._of.setdefault(deployment, {})
        self._of.move_to_end(deployment)
        self._bytes += len(data) - len(held.pop(digest, b""))
        held[digest] = data
        if len(held) > MOST:
            self._bytes -= len(held.pop(next(iter(held))))
        while self._bytes > MOST_BYTES and len(self._of) > 1:
            _, gone = self._of.popitem(last=False)
            self._bytes -= sum(map(len, gone.values()))

    def get(self, deployment: str, digest: str) -> bytes | None:
        """Give one, as far as it is here."""
        return self._of.get(deployment, {}).get(digest)

    def prune(self, deployment: str, waits: Callable[[str, bytes], bool]) -> None:
        """Let go of those of a deployment that do not wait any more, by their digest and envelope."""
        held = self._of.get(deployment, {})
        for digest in [digest for digest, data in held.items() if not waits(digest, data)]:
            self._bytes -= len(held.pop(digest))
        if not held:
            self._of.pop(deployment, None)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._of))
