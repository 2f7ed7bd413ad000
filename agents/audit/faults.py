"""Faults: what was done to a log, told from the first record that does not follow and the few behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain as joined
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import NO_HASH, Link, digest

if TYPE_CHECKING:
    from driftline.agents.audit.chain import Chain

Kind: TypeAlias = Literal[
    "edited", "removed", "inserted", "swapped", "truncated", "re-chained", "rolled-back", "forged"
]
AHEAD: Final = 2
"""How many records behind the first wrong one are looked at."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong.

    Attributes:
        kind: what was done, as far as that can be told.
        seq: the place of the first record that it concerns.
        until: the place of the last one.
        why: how that is known, in a sentence.
    """

    kind: Kind
    seq: int
    until: int
    why: str

    def __str__(self) -> str:
        """Name the records and what was done to them."""
        records = f"record {self.seq}" if self.seq == self.until else f"records {self.seq} to {self.until}"
        return f"{records}: {'rolled back' if self.kind == 'rolled-back' else self.kind}: {self.why}"


@dataclass(frozen=True, slots=True)
class _Found:
    """A record as it lies there; seq -1 when it cannot be read."""

    seq: int
    prev_hash: str
    digest: str


_NONE: Final = _Found(-2, "", "")
"""In the place of a record behind the end."""


def examine(chain: Chain, first: bytes, rest: Iterator[bytes], proven: int) -> tuple[Fault, int]:
    """Say what was done where a log breaks.

    Args:
        chain: the records that followed one another.
        first: the one that does not.
        rest: those behind it; read to the end.
        proven: how many records a checkpoint proves to be as they were.

    Returns:
        The fault, and how many records the log has in all.
    """
    window = [_found(one) for one in (first, *islice(rest, AHEAD))]
    here, after, third = (*window, _NONE, _NONE)[: AHEAD + 1]
    fault = _judged(chain, here, after, third, proven)
    total = chain.size
    for place, one in enumerate(joined(window, map(_found, rest)), chain.size):
        total = place + 1
        if fault.kind == "edited" and place == here.seq and one.seq == fault.seq != place:
            fault = Fault(
                "swapped", fault.seq, place, f"record {here.seq} lies in its place, and it in the other's"
            )
    return fault, total


def _judged(chain: Chain, here: _Found, after: _Found, third: _Found, proven: int) -> Fault:
    """Tell what happened at the place behind the chain from three records."""
    at = chain.size
    if _fits(chain, after):
        if here.seq == at + 1 and here.prev_hash == after.digest and third.seq != at + 1:
            return Fault("swapped", at, at + 1, "each lies in the other's place")
        return Fault("inserted", at, at, f"the record behind it is the one that follows record {at - 1}")
    if here.seq == at:
        return _unlinked(chain, here, after, proven)
    if here.seq == -1:
        return Fault("edited", at, at, "it cannot be read")
    return _misnumbered(chain, here, after, proven)


def _misnumbered(chain: Chain, here: _Found, after: _Found, proven: int) -> Fault:
    """Tell what a record means that calls itself another one than its place says."""
    at = chain.size
    if here.prev_hash == chain.head or after.seq == at + 1:
        return Fault("edited", at, at, f"it calls itself record {here.seq}")
    if here.seq > at:
        return Fault("removed", at, here.seq - 1, f"record {here.seq} comes next")
    if here.seq == at - 1 and here.prev_hash == chain.before and proven < at:
        until = at - 1 if after.prev_hash == here.digest else at
        return Fault("inserted", at - 1, until, f"two records say that they follow record {at - 2}")
    return Fault("inserted", at, at, f"it calls itself record {here.seq}")


def _unlinked(chain: Chain, here: _Found, after: _Found, proven: int) -> Fault:
    """Tell which of two neighbours is not as it was: the second names another one than the first."""
    at = chain.size
    if at == 0:
        if after.prev_hash == chain.genesis:
            return Fault("edited", 0, 0, "record 1 names the genesis that is pinned, and this is another")
        return Fault(
            "re-chained", 0, 0, f"its digest is {here.digest}, and {chain.genesis} is pinned: another log"
        )
    if proven >= at or _resembles(here.prev_hash, chain.head):
        return Fault("edited", at, at, "it names another record before it")
    why = f"record {at} names another record before it"
    if after.prev_hash != here.digest:
        return Fault("edited", at - 1, at, f"{why}; one of the two at least is not as it was")
    return Fault("edited", at - 1, at - 1, why)


def _resembles(one: str, other: str) -> bool:
    """Whether one hash was made of another by changing some of it; two hashes of anything agree in 4 digits of 64."""
    return sum(a == b for a, b in zip(one, other, strict=False)) >= len(other) // 2


def _fits(chain: Chain, one: _Found) -> bool:
    follows = (one.seq, one.prev_hash) == (chain.size, chain.head)
    return follows and (chain.head != NO_HASH or one.digest == chain.genesis)


def _found(data: bytes) -> _Found:
    try:
        link = Link.from_bytes(data)
    except AuditError:
        return _Found(-1, "", digest(data))
    return _Found(link.seq, link.prev_hash, digest(data))
