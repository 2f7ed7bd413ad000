"""Memory: what a process believes, on disk, in a folder of its own; written whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.agents.control.verify_state import Believed
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.orders import Local

if TYPE_CHECKING:
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
        ServingError: it cannot be read; nobody guesses what should serve.
    """
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServingError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ServingError(
            f"{path} is damaged ({error}): take it away, and the agent asks Kafka again"
        ) from error


def keep(folder: Path, kept: Kept) -> None:
    """Write what is believed; after a power cut it is whole, old or new.

    Raises:
        ServingError: it cannot be written.
    """
    path = folder / FILE
    try:
        write_atomically(path, msgspec.json.encode(kept))
    except OSError as error:
        raise ServingError(f"{path} cannot be written: {error.strerror}") from error


def keep_news(folder: Path, now_ms: int) -> None:
    """Remember over a restart that news came now; a folder that takes nothing remembers what it did before."""
    path = folder / HEARD
    with suppress(OSError):
        path.touch(mode=0o600)
        os.utime(path, (now_ms / 1000, now_ms / 1000))


def silent_s(folder: Path, now_ms: int) -> float:
    """How long ago news came last, s; 0 when none ever did, or when the clock was set back."""
    try:
        heard_s = (folder / HEARD).stat().st_mtime
    except OSError:
        return 0.0
    return max(0.0, now_ms / 1000 - heard_s)
