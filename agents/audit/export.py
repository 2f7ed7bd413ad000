"""Exports: the log and its checkpoints as files that anyone can verify without Kafka, and without driftline.

A folder: `records.ndjson` (each line the bytes of a record), `checkpoints.ndjson` (each line a note as a JSON string)
and `FORMAT.md`, which says how to verify them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.notes import MAX_NOTE_BYTES
from driftline.agents.audit.record import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RECORDS: Final = "records.ndjson"
CHECKPOINTS: Final = "checkpoints.ndjson"
FORMAT: Final = "FORMAT.md"
_NOTE_LINE_BYTES: Final = 6 * MAX_NOTE_BYTES
"""A note's bytes may each become an escape of six characters."""


def export(folder: Path, records: Iterable[bytes], notes: Iterable[bytes]) -> int:
    """Write an export; the folder is there whole or not at all.

    Args:
        folder: must not be there yet.
        records: in their order, as they lie in Kafka.
        notes: checkpoints as they lie in Kafka.

    Returns:
        How many records were written.

    Raises:
        AuditError: the folder is there already, or cannot be written.
    """
    if folder.exists():
        raise AuditError(f"{folder} is there already; an export is never written over: name another")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise AuditError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        count = _write(made / RECORDS, records)
        _write(made / CHECKPOINTS, (msgspec.json.encode(text) for text in map(_text, notes) if text))
        (made / FORMAT).write_bytes(files("driftline.agents.audit").joinpath(FORMAT).read_bytes())
        made.chmod(0o755)
        made.rename(folder)
    except OSError as error:
        raise AuditError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return count


def exported_records(folder: Path) -> Iterator[bytes]:
    """Give the records of an export; raises AuditError when it cannot be read."""
    return _lines(folder / RECORDS, MAX_RECORD_BYTES)


def exported_notes(folder: Path) -> Iterator[bytes]:
    """Give the notes of an export; what is no text is given as it is, and is no note."""
    for line in _lines(folder / CHECKPOINTS, _NOTE_LINE_BYTES):
        if len(line) > _NOTE_LINE_BYTES:
            yield line
            continue
        try:
            yield msgspec.json.decode(line, type=str).encode()
        except (msgspec.MsgspecError, UnicodeError):
            yield line


def _lines(path: Path, most: int) -> Iterator[bytes]:
    """Give lines without their ends; of one that is too long only its beginning, which is too long as well."""
    try:
        with path.open("rb") as file:
            while line := file.readline(most + 2):
                yield line.removesuffix(b"\n")
                while len(line) == most + 2 and not line.endswith(b"\n"):
                    line = file.readline(most + 2)
    except OSError as error:
        raise AuditError(f"the export {path.parent} cannot be read: {path.name}: {error.strerror}") from error


def _write(path: Path, lines: Iterable[bytes]) -> int:
    count = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line + b"\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _text(note: bytes) -> str:
    """A note as text; empty for bytes that are none, or too many, which no verifier would take."""
    try:
        return note.decode() if len(note) <= MAX_NOTE_BYTES else ""
    except UnicodeDecodeError:
        return ""
