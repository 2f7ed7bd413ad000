"""Where the commands of `driftline audit` read from: the topics, or an export; and what is pinned."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from driftline.agents.control.history import Rule
    from driftline.schemas.settings import Settings

Read = Callable[[], Iterator[bytes]]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

genesis_option: Decorator = click.option(
    "--genesis", metavar="HEX", help="Digest of record 0, in place of the setting control.genesis."
)
export_option: Decorator = click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="FOLDER",
    help="Read an export, not Kafka.",
)

signatures_option: Decorator = click.option(
    "--signatures", is_flag=True, help="Check every signature in the records too, which takes longer."
)


def settings_of_stack(role: str = "operator") -> Settings:
    """Settings that reach Kafka, as a role."""
    from driftline.deploy.local.discover import settings_here

    return settings_here(os.environ, Path.cwd(), role=role)


def what_lies(folder: Path | None) -> tuple[Settings, Read, list[bytes]]:
    """Give the settings, what reads all records (each call from record 0 on), and the checkpoints.

    Args:
        folder: an export; None is Kafka.
    """
    from driftline.agents.audit.export import exported_notes, exported_records
    from driftline.agents.audit.topic import LAST_NOTES, Reader, notes_of
    from driftline.deploy.local.discover import load_here

    if folder is not None:
        settings = load_here(os.environ, Path.cwd())
        notes = list(deque(exported_notes(folder), LAST_NOTES))
        return settings, lambda: exported_records(folder), notes
    settings = settings_of_stack()

    def read() -> Iterator[bytes]:
        with closing(Reader(settings.kafka)) as reader:
            yield from reader.to_the_end()

    return settings, read, notes_of(settings.kafka)


def every_note(settings: Settings, folder: Path | None) -> Read:
    """What reads every checkpoint there is by then: the one that signs the end may have come after the others."""
    from driftline.agents.audit.export import exported_notes
    from driftline.agents.audit.topic import all_notes_of

    if folder is not None:
        return lambda: exported_notes(folder)
    return lambda: all_notes_of(settings.kafka)


def pinned(settings: Settings, given: str | None) -> str:
    """Give the digest of record 0 that is pinned.

    Raises:
        AuditError: none is, or it is no digest.
    """
    from driftline.agents.audit.errors import AuditError

    found = given or settings.control.genesis
    if not found:
        raise AuditError(
            "no genesis is pinned: set DRIFTLINE_CONTROL_GENESIS to what 'driftline trust init' printed, or give "
            "--genesis"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise AuditError(
            f"the genesis {found[:80]!r} is no digest: 64 hex digits are, as 'driftline trust init' prints them"
        )
    return found


def in_force() -> Rule:
    """Trust and policy that hold now, as the verified audit says; raises as `Board` does, and as `pinned`."""
    from driftline.deploy.control.board import Board
    from driftline.deploy.control.wire import wire_of

    settings = settings_of_stack()
    with closing(wire_of(settings.kafka)) as wire:
        return Board(wire, pinned(settings, None)).desk.history.now
