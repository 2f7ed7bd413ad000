"""Memory: what a process believes, on disk, in a folder of its own; written whole or not at all.

The file is a line with the sha256 of what follows it, and JSON: of one byte that a disk changed a halt might be another
word, which nobody would miss.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.agents.audit.errors import AuditError
from driftline.agents.control.grants import UNREADABLE, asked
from driftline.agents.control.lifecycle import INTERRUPTING
from driftline.agents.control.verify_state import Believed
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.orders import Local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "believed.json"
HEARD: Final = "heard"
"""An empty file: its time is when news came last."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a process keeps over a restart.

    Attributes:
        records: of the audit that trust rests on, the first one first, as texts.
        believed: by deployment.
        local: by deployment.
        seen: ids of local commands.
        untold: envelopes of those that the controller was not told of, the oldest first.
    """

    records: tuple[str, ...] = ()
    believed: dict[str, Believed] = {}
    local: dict[str, tuple[Local, ...]] = {}
    seen: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


def kept_in(folder: Path) -> Kept | None:
    """Read what was kept; None when nothing was.

    Raises:
        ServingError: it cannot be read, or holds a command that cannot; nobody guesses what should serve.
    """
    path = folder / FILE
    try:
        said, _, body = path.read_bytes().partition(b"\n")
        if sealed(body) != said + b"\n" + body:
            raise _damaged(path, "its digest is another one")
        kept = msgspec.json.decode(body, type=Kept)
        _read(kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServingError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, *UNREADABLE) as error:
        raise _damaged(path, error) from error
    return kept


@contextmanager
def taken_in(folder: Path) -> Iterator[Kept | None]:
    """Give what `kept_in` gives to whoever takes it in: what he finds in its records is damage of that file too.

    Raises:
        ServingError: as `kept_in`.
    """
    kept = kept_in(folder)
    try:
        yield kept
    except (AuditError, ValueError, *UNREADABLE) as error:
        raise _damaged(folder / FILE, error) from error


def _read(kept: Kept) -> None:
    """Read every command that was kept, before any is carried out; raises `UNREADABLE`."""
    for one in (local for held in kept.local.values() for local in held):
        op = asked(one.command).op
        if op not in INTERRUPTING:
            raise msgspec.ValidationError(f"{op} is no command that holds here")
    for believed in kept.believed.values():
        for grant in believed.state.basis:
            asked(grant.command)
    for text in kept.untold:
        asked(text)


def _damaged(path: Path, error: Exception | str) -> ServingError:
    return ServingError(f"{path} is damaged ({error}): take it away, and the agent asks Kafka again")


def sealed(body: bytes) -> bytes:
    """The bytes of the file for its JSON."""
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def keep(folder: Path, kept: Kept) -> None:
    """Write what is believed; after a power cut it is whole, old or new.

    Raises:
        ServingError: it cannot be written.
    """
    path = folder / FILE
    try:
        write_atomically(path, sealed(msgspec.json.encode(kept)))
    except OSError as error:
        raise ServingError(f"{path} cannot be written: {error.strerror}") from error


def keep_news(folder: Path, now_ms: int) -> None:
    """Remember over a restart that news came now; a folder that takes nothing remembers what it did before."""
    path = folder / HEARD
    with suppress(OSError):
        path.touch(mode=0o600)
        os.utime(path, (now_ms / 1000, now_ms / 1000))


def silent_s(folder: Path, now_ms: int) -> float:
    """How long ago news came last, s; where that file is lost, how long ago what is believed was written.

    0 when none ever came, or when the clock was set back.
    """
    for name in (HEARD, FILE):
        with suppress(OSError):
            return max(0.0, now_ms / 1000 - (folder / name).stat().st_mtime)
    return 0.0
