"""Building in a child: a model that is packed may hang or break, so a bounded process without a key asks it."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from driftline.agents.serving.package.build_child import ROWS_FILE, Column, Outcome, Task
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.launcher import Launcher
from driftline.agents.serving.package.trial import crashed, ran_out, tail

if TYPE_CHECKING:
    from collections.abc import Collection

    from driftline.agents.serving.package.build import Built, Wanted
    from driftline.agents.serving.package.manifest import Format
    from driftline.agents.serving.package.rows import Rows
    from driftline.agents.serving.package.trial import Bounds

_SAID_BYTES: Final = 256 * 1024
_MIB: Final = 1 << 20
_BEGIN: Final = """
import sys
parent, sys.path[:] = int(sys.argv[1]), sys.argv[2:]
from driftline.agents.serving.package.build_child import main
main(parent)
"""


def build_in_child(
    path: Path,
    kind: Format,
    wanted: Wanted,
    made: Path,
    *,
    trusted: Collection[str],
    convert: bool,
    bounds: Bounds,
) -> Built:
    """Do as `build.build_file` does, in a child.

    Args:
        path: as for `build.build_file`, as is all else.
        kind: of it.
        wanted: what is built; columns of objects hold what JSON takes.
        made: an empty folder.
        trusted: types.
        convert: whether to.
        bounds: of memory beyond what the libraries take, and of time, all in all.

    Raises:
        PackageError: it cannot be packed, took longer or more memory, or broke the child; the text says what to do.
    """
    title = f"{wanted.about.name} {wanted.about.version}"
    with (
        tempfile.TemporaryDirectory(prefix="driftline-pack-") as work,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as told,
    ):
        task = Task(
            cwd=str(Path.cwd()),
            path=str(path),
            kind=kind,
            about=wanted.about,
            columns=columns_in(wanted.rows, Path(work)),
            profile=None if wanted.profile is None else wanted.profile.to_bytes(),
            made=str(made.absolute()),
            work=work,
            trusted=sorted(trusted),
            convert=convert,
            memory_bytes=bounds.memory_bytes,
        )
        asked.write(msgspec.json.encode(task))
        asked.seek(0)
        with closing(Launcher()) as children:
            code = children.run(_BEGIN, [file.fileno() for file in (asked, said, told)], bounds.timeout_s)
        if code is None:
            raise PackageError(
                f"{title} is not packed: its model {path} did not load and answer the rows within "
                f"{bounds.timeout_s:g} s; mend it, or give it longer with --timeout"
            )
        said.seek(0)
        outcome, text = _outcome(said.read(_SAID_BYTES)), tail(told)
    if outcome is None and ran_out(code, text):
        outcome = Outcome(has_no_memory=True)
    if outcome is None:
        why = crashed(code, "while it was asked the rows", text)
        raise PackageError(f"{title} is not packed: {why}")
    if outcome.has_no_memory:
        raise PackageError(
            f"{title} is not packed: its model {path} ran out of memory, and {bounds.memory_bytes / _MIB:,.0f} MiB do "
            "not do; give it more with --memory-mb"
        )
    if outcome.built is None:
        raise PackageError(outcome.why)
    return outcome.built


def columns_in(rows: Rows, work: Path) -> list[Column]:
    """Write the numbers among the rows into a file, and give the columns in their order, with their objects."""
    arrays = {f"c{place}": array for place, array in enumerate(rows.values()) if array.dtype != object}
    np.savez(work / ROWS_FILE, **arrays)  # type: ignore[arg-type]  # of its own option
    return [
        Column(name=name, objects=array.tolist() if array.dtype == object else None)
        for name, array in rows.items()
    ]


def _outcome(line: bytes) -> Outcome | None:
    try:
        return msgspec.json.decode(line, type=Outcome)
    except msgspec.MsgspecError:
        return None
