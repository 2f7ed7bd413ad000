"""Memory: which advice was answered, and when a deployment was last retrained; on disk before anything runs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.agents.lone import hold
from driftline.agents.retrain.commands import RetrainError
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST: Final = 10_000
"""Ids of advice that are remembered, the newest."""


class _Held(msgspec.Struct):
    answered: list[str] = []
    started_ms: dict[str, int] = {}


@contextmanager
def held(path: Path) -> Iterator[Memory]:
    """What a file remembers, for one worker alone: two would each run what the other one ran, and forget it.

    Raises:
        RetrainError: another worker holds it, or it cannot be read.
    """
    try:
        path = path.resolve()
        if path.is_dir():
            raise RetrainError(
                f"what retraining remembers is no file in {path}, which is a folder: name a file with --memory"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        number = hold(path.with_name(f"{path.name}.lock"))
    except OSError as error:
        raise RetrainError(f"{path}.lock cannot be used: {error.strerror}") from error
    except RuntimeError as error:
        # A link to itself; from Python 3.13 on that is an OSError too.
        raise RetrainError(f"{path} cannot be used: {error}") from error
    if number is None:
        raise RetrainError(
            f"another worker that retrains remembers in {path}: stop it, or name another file with --memory"
        )
    try:
        yield Memory(path)
    finally:
        os.close(number)


class Memory:
    """What one file remembers.

    Args:
        path: of the file; made with the first answer.

    Raises:
        RetrainError: it is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._held = msgspec.json.decode(read_whole(path), type=_Held)
        except FileNotFoundError:
            self._held = _Held()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RetrainError(
                f"what retraining remembers in {path} cannot be read ({error}): bring it back, or take it away, and an "
                "advice that was answered may be answered once more"
            ) from error

    def is_answered(self, advice_id: str) -> bool:
        """Whether an advice had its run, or was passed over for good."""
        return advice_id in self._held.answered

    def started_ms(self, deployment: str) -> int | None:
        """When the last run for a deployment began, ms since 1970; None before the first."""
        return self._held.started_ms.get(deployment)

    def answer(self, advice_id: str, deployment: str, now_ms: int | None) -> None:
        """Remember that an advice is answered, by a run that begins now, or by none; returns when it is on disk.

        Raises:
            RetrainError: it cannot be written; then nothing may be run.
        """
        self._held.answered = [*self._held.answered, advice_id][-MOST:]
        if now_ms is not None:
            self._held.started_ms[deployment] = now_ms
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, msgspec.json.encode(self._held))
        except OSError as error:
            raise RetrainError(
                f"what retraining did cannot be remembered in {self._path}: {error.strerror}"
            ) from error
