"""What a process does to its emitters: forks give each a new life, and the end of the interpreter closes them."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from driftline.agents.emit.complaints import LOGGER

# So many are hardly meant: each has a thread and a connection.
MANY = 32
# At most so long does the end of a process wait for events that were logged and not delivered.
EXIT_S = 5.0


class Member(Protocol):
    """An emitter, as this module sees it."""

    def close(self, timeout: float = ...) -> None:
        """Deliver or spool, and end."""

    def begin_anew(self) -> None:
        """In a forked child: begin another life."""


_members: weakref.WeakSet[Member] = weakref.WeakSet()
# Emitters with events: kept alive until they are closed, so that one that nobody holds any more still delivers.
_started: set[Member] = set()
_hooked = threading.Lock()
_is_hooked = False


def enrol(member: Member) -> None:
    """Tell an emitter of forks and of the end; hooks are set with the first one."""
    global _is_hooked  # noqa: PLW0603 - the hooks of a process cannot be taken back
    with _hooked:
        _members.add(member)
        if not _is_hooked:
            os.register_at_fork(after_in_child=_after_fork)
            atexit.register(close_all)
            _is_hooked = True


def close_all() -> None:
    """Close every emitter of this process, all together within `EXIT_S` or little more."""
    end_s = time.monotonic() + EXIT_S
    for member in list(_started):
        member.close(max(0.1, end_s - time.monotonic()))


def holder(member: Member) -> Callable[[], None]:
    """Give what says that an emitter has begun; until then it does not keep it alive."""
    found = weakref.ref(member)

    def begun() -> None:
        one = found()
        if one is not None:
            _hold(one)

    return begun


def _hold(member: Member) -> None:
    """An emitter has begun. A child of `multiprocessing` ends without atexit: hook on its own finalizers."""
    _started.add(member)
    if len(_started) == MANY:
        with suppress(Exception):  # a log handler of the application may raise
            LOGGER.warning(
                "%d emitters are open in this process: make one a deployment and version and keep it, or close each",
                MANY,
            )
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, close_all, exitpriority=100)


def release(member: Member) -> None:
    """An emitter is closed."""
    _started.discard(member)


def _after_fork() -> None:
    global _hooked  # noqa: PLW0603 - another thread of the parent may have held it
    _hooked = threading.Lock()
    _started.clear()
    for member in list(_members):
        member.begin_anew()
