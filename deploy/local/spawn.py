"""Start child processes that cannot outlive this one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from driftline.deploy.local import guard

Process = subprocess.Popen[bytes]


@cache
def _starter(pid: int) -> ThreadPoolExecutor:
    """Return this process's one starting thread.

    The kernel ties a child to the thread that started it. One thread that lives as long as the process starts
    them all, so a caller may be any thread; the pid keeps a forked process from using its parent's.
    """
    del pid
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="driftline-spawn")


def spawn_guarded(
    command: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str] | None = None
) -> Process:
    """Start a program that is killed when this process ends in whatever way; its output is appended to `log`."""
    return spawn(guard.tied(signal.SIGKILL, *command), cwd=cwd, log=log, stdin=subprocess.DEVNULL, env=env)


def spawn(
    command: Sequence[str], *, cwd: Path, log: Path, stdin: int, env: Mapping[str, str] | None = None
) -> Process:
    """Start a program in a session of its own, so that Ctrl-C in a terminal reaches only its supervisor."""

    def start() -> Process:
        with log.open("ab") as output:
            return subprocess.Popen(
                command, cwd=cwd, stdin=stdin, stdout=output, stderr=output, env=env, start_new_session=True
            )

    return _starter(os.getpid()).submit(start).result()
