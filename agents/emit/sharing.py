"""What spools of one process on one directory have taken over, each bears an equal part of.

After a restart with Kafka away the first of them would else take over all that those before it left, be at its cap
by that alone, and drop what is new, while the others have room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.agents.emit.spool import Spool

# Appended to and removed from by the senders of several emitters: each such step is whole.
_spools: dict[Path, list[Spool]] = {}


def join(directory: Path, spool: Spool) -> None:
    """A spool bears its part from now on."""
    members = _spools.setdefault(directory, [])
    if spool not in members:
        members.append(spool)


def leave(directory: Path, spool: Spool) -> None:
    """A spool has ended."""
    members = _spools.get(directory, [])
    if spool in members:
        members.remove(spool)


def left_bytes(directory: Path, spool: Spool, more_bytes: int = 0) -> int:
    """How much a spool may write beside its part of all that is taken over, and of so much more; may be below 0.

    Nobody writes past the caps of all together either: one that is full bears its part of what it has no room for.
    """
    members = list(_spools.get(directory, ())) or [spool]
    adopted_bytes = more_bytes + sum(one.adopted_bytes for one in members)
    own_bytes = spool.cap_bytes - spool.backlog.size_bytes + -adopted_bytes // len(members)
    caps_bytes = sum(one.cap_bytes for one in members)
    return min(own_bytes, caps_bytes - adopted_bytes - sum(one.backlog.size_bytes for one in members))
