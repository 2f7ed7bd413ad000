"""What the audit, as far as it is believed, lets be forgotten: the words between who believes it and who removes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

Doubted: TypeAlias = Literal["chain", "trust", "forget"]
"""What is wrong with a record: it does not follow, claims what nobody laid down, or asks without leave."""


class Forget(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction that is to be forgotten.

    Attributes:
        seq: of the record of the audit that lets it be.
        deployment: whose prediction.
        target: its id, as whoever asked wrote it.
        decided_at_ms: when that was decided, ms since 1970.
    """

    seq: int
    deployment: str
    target: str
    decided_at_ms: int


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a chain was followed: its records, and the digest of the last one, which stands for all before it."""

    size: int
    head: str


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading on.

    Attributes:
        forgets: what is to be forgotten, and was not told of before.
        refused: how many records are not believed, by what is wrong with them; whoever adds them may do so without end.
        why: what is wrong with the first of them; empty when there is none.
        doubt: why nothing of this audit is believed; None while it is the one that was followed before.
        mark: how far it was followed; None while that is no further than before.
    """

    forgets: tuple[Forget, ...] = ()
    refused: Mapping[Doubted, int] = {}
    why: str = ""
    doubt: str | None = None
    mark: Mark | None = None
