"""What runs in a launcher: it starts the children that it is asked for, waits for each, and tells how it ended.

A request is one message: JSON, and with it the files that become the child's stdin, stdout and stderr, and one that its
end is written to. A child takes what processor nobody else wants. One that finds none, because the machine is full, is
begun again with a small share of its own: without privileges a process does not get out of SCHED_IDLE.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_MOST_BYTES: Final = 1 << 18
_FILES: Final = 4
_NICE: Final = 10
_PATIENCE_S: Final = 2.0
"""How long a child waits for a processor, and longer than it had one, before it is begun again."""
_LOOK_S: Final = 0.5


def main() -> None:
    """Do as asked until whoever asks is gone."""
    door = socket.socket(fileno=sys.stdin.fileno())
    while True:
        asked, files, _, _ = socket.recv_fds(door, _MOST_BYTES, _FILES, socket.MSG_CMSG_CLOEXEC)
        if not asked:
            os._exit(0)  # no thread is waited for: the system kills its child
        threading.Thread(target=_carry_out, args=(json.loads(asked), files)).start()


def _carry_out(asked: dict[str, Any], files: list[int]) -> None:
    *streams, told = files
    try:
        code, is_starved = _run(asked, streams, is_idle=True)
        if is_starved:
            for number in streams:
                os.lseek(number, 0, os.SEEK_SET)
            code, _ = _run(asked, streams, is_idle=False)
        answer: dict[str, Any] = {"code": code}
    except OSError as error:
        answer = {"error": str(error)}
    with suppress(OSError):  # nobody waits any more
        os.write(told, json.dumps(answer).encode())
    for number in files:
        os.close(number)


def _run(asked: dict[str, Any], streams: list[int], *, is_idle: bool) -> tuple[int | None, bool]:
    """Run a child to its end, or until its time is over; give its exit code, None when it was, and if it starved."""
    for number in streams[1:]:
        os.ftruncate(number, 0)
    stdin, stdout, stderr = streams
    deadline_s = time.monotonic() + asked["timeout_s"]
    child = subprocess.Popen(  # noqa: S603 - from our owner
        [sys.executable, "-I", "-c", asked["begin"], str(os.getpid()), *asked["path"]],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
    )
    try:
        with suppress(OSError):  # not every container lets a process yield
            if is_idle:
                os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))
            else:
                os.setpriority(os.PRIO_PROCESS, child.pid, max(_NICE, os.nice(0)))
        has_ended = is_starved = False
        while not (has_ended or is_starved) and (left_s := deadline_s - time.monotonic()) > 0:
            has_ended = _ends(child.pid, min(left_s, _LOOK_S))
            is_starved = is_idle and not has_ended and _starves(child.pid, _PATIENCE_S)
        is_starved |= is_idle and not has_ended and _starves(child.pid, 0.0)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # and what it may have started
        code = child.wait()
    return (code if has_ended else None), is_starved


def _ends(pid: int, within_s: float) -> bool:
    number = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(within_s * 1000))
    finally:
        os.close(number)


def _starves(pid: int, patience_s: float) -> bool:
    """Whether a child waited for a processor so long, and longer than it had one; no kernel tells of what has ended."""
    try:
        ran_ns, waited_ns = map(int, Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[:2])
    except (OSError, ValueError):
        return False
    return waited_ns > max(ran_ns, patience_s * 1e9)
