"""Commands: what may be run here for which deployments, read from a local file that nobody reaches through Kafka."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from driftline.schemas.control.command import Name
from driftline.schemas.errors import DriftlineError
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_FILE_BYTES: Final = 1 << 20
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=4_000, pattern=r"\A[^\x00]*\Z")]
Variable = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,199}\Z")]


class RetrainError(DriftlineError):
    """Settings of retraining, or its state, that cannot be used."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command.

    Attributes:
        deployments: whose advice it answers.
        argv: the program and its arguments; no shell reads them.
        folder: where it runs.
        timeout_s: after which it is stopped, s.
        cooldown_s: from the start of one run for a deployment to the next, s; advice in between starts none.
        environment: names of the variables that are handed on; all others are left out.
    """

    deployments: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=1_000)]
    argv: Annotated[tuple[Word, ...], msgspec.Meta(min_length=1, max_length=200)]
    folder: Word = "."
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=7 * 86_400)] = 4 * 3_600.0
    cooldown_s: Annotated[float, msgspec.Meta(ge=0, le=365 * 86_400)] = 86_400.0
    environment: Annotated[tuple[Variable, ...], msgspec.Meta(max_length=200)] = ("PATH", "HOME", "LANG")

    def handed(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give the variables that are handed on, of those that the worker has."""
        return {name: given[name] for name in self.environment if name in given}


class Commands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them, by name.

    Attributes:
        max_age_s: advice that was made longer ago starts nothing, s.
    """

    commands: Annotated[dict[Name, Entry], msgspec.Meta(min_length=1, max_length=1_000)]
    max_age_s: Annotated[float, msgspec.Meta(gt=0, le=365 * 86_400)] = 86_400.0

    def of(self, deployment: str) -> tuple[str, Entry] | None:
        """Give the name and the entry that answer for a deployment; None without one."""
        return next(
            ((name, one) for name, one in self.commands.items() if deployment in one.deployments), None
        )


def read_commands(path: Path) -> Commands:
    """Read the file.

    Raises:
        RetrainError: it cannot be read, is no such file, or names a deployment twice; the message says what is wrong.
    """
    try:
        found = msgspec.convert(tomllib.loads(read_whole(path, _MAX_FILE_BYTES).decode()), Commands)
    except OSError as error:
        raise RetrainError(f"the commands of retraining {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise RetrainError(f"{path} does not say which commands retrain: {error}") from error
    seen: set[str] = set()
    for name, entry in found.commands.items():
        twice = seen & set(entry.deployments)
        if twice:
            raise RetrainError(f"{path} gives {min(twice)!r} two commands, the second is {name!r}: leave one")
        seen |= set(entry.deployments)
    return found


def must_start(commands: Commands, given: Mapping[str, str]) -> None:
    """Look whether each command can be started, before an advice is spent on one that cannot.

    Args:
        commands: all of them.
        given: the variables of this process.

    Raises:
        RetrainError: a folder or a program is not there; the message names it.
    """
    for name, entry in commands.commands.items():
        if not Path(entry.folder).is_dir():
            raise RetrainError(
                f"the command {name!r} runs in {entry.folder!r}, and there is no such folder: make it, or say another"
            )
        program = entry.argv[0]
        path = os.pathsep.join(os.get_exec_path(entry.handed(given)))
        if (
            shutil.which(
                str(Path(entry.folder, program).absolute()) if "/" in program else program, path=path
            )
            is None
        ):
            raise RetrainError(
                f"the command {name!r} starts {program!r}, which is no program on its PATH, {path!r}: "
                "give its whole path, or let 'environment' hand on PATH"
            )
