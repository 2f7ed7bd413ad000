"""Asking: a command from its fields to its outcome; time, randomness and the wire are arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.agents.control.admission import Arrived
from driftline.agents.control.keys import Key, load
from driftline.agents.control.signing import sign
from driftline.agents.control.trust import ROOT_OPS
from driftline.deploy.control.board import Board
from driftline.deploy.control.drafts import drafted
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.outcome import Outcome, awaited, foreseen
from driftline.deploy.control.wire import Wire
from driftline.schemas.control.command import Command, Op
from driftline.schemas.control.envelope import COMMAND, MAX_BYTES, Envelope
from driftline.schemas.topics import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

Fields = Callable[[Board], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that is signed, and not published yet.

    Attributes:
        command, envelope: it.
        by: who asks: the id of a person, or `root`.
    """

    command: Command
    envelope: Envelope
    by: str

    @property
    def value(self) -> bytes:
        """What is published."""
        return self.envelope.to_bytes()


def built(
    board: Board,
    op: Op,
    fields: dict[str, Any],
    keys: Sequence[Key],
    now_ms: int,
    chance: Callable[[int], bytes],
) -> Asked:
    """Build and sign a command.

    Raises:
        AskingError: a field is wrong, the command would be too large, or the keys are not those of whoever asks it.
    """
    command = drafted(op, board.installation, now_ms=now_ms, chance=chance, **fields)
    by = _whose(board, op, keys)
    envelope = sign(COMMAND, command.to_bytes(), *keys)
    size = len(envelope.to_bytes())
    if size > MAX_BYTES:
        raise AskingError(f"this {op} takes {size:,} bytes in its envelope; {MAX_BYTES:,} are allowed")
    return Asked(command, envelope, by)


def tried(board: Board, asked: Asked, now_ms: int) -> Outcome:
    """What the controller would decide now, without asking it; the board is of no use afterwards."""
    return foreseen(board.desk.take(Arrived(asked.value, 0, now_ms), now_ms))


def published(
    wire: Wire, board: Board, asked: Asked, *, timeout_s: float, clock: Callable[[], float]
) -> Outcome:
    """Publish a command and wait for its outcome.

    Raises:
        AskingError: the audit does not tell of it within the time.
    """
    offset = wire.publish(COMMANDS, asked.value)
    found = awaited(wire, board, asked.command, asked.value, offset, timeout_s=timeout_s, clock=clock)
    if found is None:
        raise AskingError(
            f"nobody decided the command within {timeout_s:g} s (it lies at offset {offset} of {COMMANDS}, and may "
            "still be decided within 15 minutes): see whether 'driftline controller' runs, and 'driftline audit tail'"
        )
    return found


def loaded(paths: Sequence[Path], default: str) -> list[Key]:
    """Read key files; raises AskingError without any, KeyFileError for one that cannot be used."""
    files = list(paths) or ([Path(default)] if default else [])
    if not files:
        raise AskingError("no key is named to sign with: give --key, or set DRIFTLINE_CONTROL_KEY")
    return [load(one) for one in files]


def _whose(board: Board, op: Op, keys: Sequence[Key]) -> str:
    """Who holds the keys; whether they may is said by the policy."""
    ring = board.desk.history.now.ring
    if op in ROOT_OPS:
        return "root"
    strangers = [one.keyid for one in keys if one.keyid not in ring.holders]
    if strangers:
        raise AskingError(f"the key {strangers[0]} is nobody's in this installation, or is revoked")
    persons = ring.persons_of(one.keyid for one in keys)
    if len(persons) > 1:
        raise AskingError(
            f"the keys belong to {' and '.join(sorted(persons))}; one person asks, others approve"
        )
    return next(iter(persons))
