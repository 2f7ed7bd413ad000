"""Run the supervisor in this process until Ctrl-C."""

from __future__ import annotations

import logging
from collections.abc import Callable

from driftline.deploy.local.cache import Progress
from driftline.deploy.local.daemon import LOG_FORMAT, SUPERVISOR
from driftline.deploy.local.stack import Stack
from driftline.deploy.local.supervisor import Supervisor
from driftline.schemas.settings import Settings


def run_in_foreground(
    settings: Settings, workers: tuple[str, ...], progress: Progress, ready: Callable[[], None]
) -> None:
    """Start the stack, call `ready`, and stop everything in order on Ctrl-C or SIGTERM.

    What the supervisor does later (restarts) goes to its log file, as in the background.
    """
    stack = Stack(settings, progress=progress)
    stack.directory.make()
    handler = logging.FileHandler(stack.directory.log(SUPERVISOR))
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        Supervisor(stack, workers=workers, progress=progress).run(ready)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()
