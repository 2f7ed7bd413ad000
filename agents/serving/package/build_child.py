"""The child in which a package is built, within bounds; it says what it built, or why not."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.bounded import alone, bound, import_libraries, is_of_memory
from driftline.agents.serving.package.build import Built, Wanted, build_file
from driftline.agents.serving.package.manifest import Format
from driftline.agents.serving.package.signed import MAX_FILE_BYTES
from driftline.schemas.errors import DriftlineError
from driftline.schemas.profile import Profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_FILE: Final = "rows.npz"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column, or a tensor, of the rows.

    Attributes:
        name: of it.
        objects: its values, where they are objects: texts, None, or what no model takes, which is for the child to say;
            None where they lie in the file of arrays, as `c` and its place.
    """

    name: str
    objects: list[Any] | None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent asks for.

    Attributes:
        cwd: the parent's working directory, for paths as a person wrote them.
        path, kind, about, trusted, convert: as for `build.build_file`.
        columns: the rows.
        profile: bytes of the reference.
        made: the package's folder.
        work: a folder that holds the arrays of the rows, and takes files on the way.
        memory_bytes: what loading and answering may take beyond what the libraries took.
    """

    cwd: str
    path: str
    kind: Format
    about: About
    columns: list[Column]
    profile: bytes | None
    made: str
    work: str
    trusted: list[str]
    convert: bool
    memory_bytes: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says: what was built, or why nothing was."""

    built: Built | None = None
    why: str = ""
    has_no_memory: bool = False


def main(parent: int) -> None:
    """Carry out the task on stdin, unless the parent of that pid is gone."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    out = alone(parent)
    os.write(out, msgspec.json.encode(_outcome(task)))


def _outcome(task: Task) -> Outcome:
    os.chdir(task.cwd)
    work, made = Path(task.work), Path(task.made)
    # A child that finds no processor is ended, between any two lines, and begun again.
    with suppress(FileNotFoundError):
        shutil.rmtree(made)
    made.mkdir(mode=0o755)
    wanted = Wanted(
        task.about,
        rows_in(task.columns, work),
        None if task.profile is None else Profile.from_bytes(task.profile),
    )
    import_libraries(task.kind)
    bound(task.memory_bytes, MAX_FILE_BYTES)
    try:
        built = build_file(
            Path(task.path),
            task.kind,
            wanted,
            made,
            trusted=task.trusted,
            convert=task.convert,
            within=work,
        )
    except MemoryError:
        return Outcome(has_no_memory=True)
    except OSError as error:
        return Outcome(why=f"the package cannot be written: {error.strerror or error}")
    except DriftlineError as error:
        return Outcome(why=str(error), has_no_memory=is_of_memory(str(error)))
    return Outcome(built=built)


def rows_in(columns: list[Column], work: Path) -> dict[str, NDArray[Any]]:
    """Read the rows that the parent wrote, in their order."""
    with np.load(work / ROWS_FILE, allow_pickle=False) as arrays:
        return {
            column.name: arrays[f"c{place}"]
            if column.objects is None
            else np.array(column.objects, dtype=object)
            for place, column in enumerate(columns)
        }
