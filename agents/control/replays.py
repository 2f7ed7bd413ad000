"""Replays: the ids and nonces of commands that were seen, for as long as they could be sent again."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import Final

from driftline.schemas.control.command import Command

KEPT_MS: Final = 60 * 60 * 1000
"""How long after its expiry a command is still known: more than clocks of brokers and controllers differ."""
MAX_OF_ONE: Final = 1_000
"""Commands of one signer that are known at a time; more are refused, so that nobody crowds out another's."""


class Seen:
    """Which commands were seen. It holds at most `MAX_OF_ONE` a signer, and trust bounds the signers."""

    __slots__ = ("_ends", "_ids", "_of")

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._of: Counter[str] = Counter()
        self._ends: list[tuple[int, str, str, str]] = []

    def __len__(self) -> int:
        return len(self._ends)

    def holds(self, command: Command) -> bool:
        """Whether its id or its nonce was seen."""
        return command.command_id in self._ids or command.nonce in self._ids

    def has_room(self, signer: str, now_ms: int) -> bool:
        """Whether one more command of a signer can be known, once what can be admitted no more is dropped."""
        return self._of[signer] < MAX_OF_ONE or any(one[1] == signer for one in self._over(now_ms))

    def take(self, command: Command, signer: str) -> None:
        """Know a command from now on; beyond the bound of its signer, whose commands are refused, nothing is added."""
        if self._of[signer] >= MAX_OF_ONE or self.holds(command):
            return
        self._ids |= {command.command_id, command.nonce}
        self._of[signer] += 1
        end = command.expires_at_ms + KEPT_MS
        insort(self._ends, (end, signer, command.command_id, command.nonce))

    def forget(self, now_ms: int) -> None:
        """Drop what can be admitted no more; `now_ms` is the time, ms since 1970."""
        over = self._over(now_ms)
        del self._ends[: len(over)]
        for _, signer, command_id, nonce in over:
            self._ids -= {command_id, nonce}
            self._of[signer] -= 1
            if not self._of[signer]:
                del self._of[signer]

    def _over(self, now_ms: int) -> list[tuple[int, str, str, str]]:
        return self._ends[: bisect_left(self._ends, (now_ms, "", "", ""))]
