"""The demo's own stack: fresh data, free ports, and windows that close soon after the last event."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from driftline.deploy.local.daemon import start_in_background
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.discover import as_role, at, running_state
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.stopping import stop_stack
from driftline.deploy.local.worker import ROLES
from driftline.schemas.access import OPERATOR
from driftline.schemas.settings import Local, Settings, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from driftline.schemas.settings import Alerts

# A replay is over when it is over: seconds, where a live stream would be given a quarter of a minute.
IDLE_S = 2.0
PUBLISH_S = 2.0
CHECKPOINT_S = 2.0
LABEL_WINDOWS = 400
"""Days that wait for labels: at 50 days a second a label that is on its way for a moment is weeks behind."""

SAID = (
    f"here workers close and publish windows after {IDLE_S:.0f} s, since a year passes in seconds; for a live stream "
    f"it is {Worker().idle_seconds:.0f} s and {Worker().publish_seconds:.0f} s"
)

MARK = "demo.txt"
"""The file that says that a folder is a demo's, to be removed by the next one."""


@contextlib.contextmanager
def demo_stack(
    folder: Path, alerts: Alerts, *, keep: bool, say: Callable[[str], None], secure: bool = False
) -> Iterator[Settings]:
    """Start a stack with empty data in `folder`, give the settings that reach it, and stop it at the end.

    Args:
        folder: its data directory, as `clear` leaves it.
        alerts: where its alerts go.
        keep: leave it running when all went well.
        say: told what takes time.
        secure: give everybody a user, ACLs and TLS; the settings given are those of an operator.

    Raises:
        StackError: it does not start.

    """
    wishes = Settings(
        worker=Worker(
            idle_seconds=IDLE_S,
            publish_seconds=PUBLISH_S,
            checkpoint_seconds=CHECKPOINT_S,
            label_windows=LABEL_WINDOWS,
        ),
        alerts=alerts,
        local=Local(data_dir=str(folder), secure=secure),
    )
    directory = DataDirectory(folder)
    # Without --keep the stack ends with the demo, even with one that is killed.
    start_in_background(wishes, ROLES, say, tied=not keep)
    done = False
    try:
        state = running_state(directory)
        if state is None:
            raise StackError(f"the stack in {folder} ended as soon as it was up: see {directory.logs}")
        yield as_role(at(wishes, state, kafka=True, clickhouse=True), OPERATOR)
        done = True
    finally:
        if not (keep and done):
            stop_stack(directory, say)


def clear(folder: Path, say: Callable[[str], None]) -> None:
    """Stop and remove what an earlier demo left; a folder that no demo made is not touched.

    Raises:
        StackError: the folder holds something that is no demo's, or cannot be made.
    """
    directory = DataDirectory(folder)
    mark = directory.root / MARK
    try:
        if directory.root.exists() and any(directory.root.iterdir()):
            if not mark.exists():
                raise StackError(f"{directory.root} holds files that no demo made: move them away first")
            stop_stack(directory, say)
            shutil.rmtree(directory.root)
        directory.root.mkdir(parents=True, exist_ok=True)
        mark.write_text("Made by 'driftline demo', which removes this folder when it runs again.\n")
    except OSError as error:
        raise StackError(
            f"the demo's folder {str(directory.root)!r} cannot be made anew ({error.strerror}): "
            "run it where you may write"
        ) from error
