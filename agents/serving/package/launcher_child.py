"""What runs in a launcher: it starts the children that it is asked for, waits for each, and tells how it ended.

A request is one message: JSON, and with it the files that become the child's stdin, stdout and stderr, and one that its
end is written to. A child takes what processor nobody else wants. One that finds none, because the machine is full, is
begun again as everybody's equal, in a session of its own, which Linux may share the processor by: without privileges a
process does not get out of SCHED_IDLE.
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
from typing import Any, Final, NamedTuple

_MOST_BYTES: Final = 1 << 18
_FILES: Final = 4
_PATIENCE_S: Final = 1.0
"""How long a child that finds no processor waits for one before it is begun again."""
_LOOK_S: Final = 0.25


def main() -> None:
    """Do as asked until whoever asks is gone."""
    door = socket.socket(fileno=sys.stdin.fileno())
    while True:
        asked, files, _, _ = socket.recv_fds(door, _MOST_BYTES, _FILES, socket.MSG_CMSG_CLOEXEC)
        if not asked:
            os._exit(0)  # no thread is waited for: trials ask the system to end them with us
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


class _Turns(NamedTuple):
    """How long a process had a processor, and how long it waited for one, s."""

    ran_s: float = 0.0
    waited_s: float = 0.0

    def starves_since(self, before: _Turns) -> bool:
        """Whether it waited too long, and since then goes on to wait longer than it has one."""
        return self.waited_s > _PATIENCE_S and self.waited_s - before.waited_s > self.ran_s - before.ran_s


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
        process_group=0 if is_idle else None,
        start_new_session=not is_idle,
    )
    try:
        if is_idle:
            with suppress(OSError):  # not every container lets a process yield
                os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))
        has_ended = is_starved = False
        now = _Turns()
        while not (has_ended or is_starved) and (left_s := deadline_s - time.monotonic()) > 0:
            has_ended = _ends(child.pid, min(left_s, _LOOK_S))
            before, now = now, _turns(child.pid)
            is_starved = is_idle and not has_ended and now.starves_since(before)
        is_starved |= is_idle and not has_ended and now.waited_s > now.ran_s
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # and what it may have started
        code = child.wait()
    return (code if has_ended else None), is_starved


def _ends(pid: int, within_s: float) -> bool:
    number = os.pidfd_open(pid)
    try:
        return is_told(number, within_s)
    finally:
        os.close(number)


def is_told(number: int, within_s: float) -> bool:
    """Whether a file has something to read, or has ended, within so many seconds; its number may be any."""
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _turns(pid: int) -> _Turns:
    """The turns of a process until now; none of one that has ended, or where the kernel tells nobody."""
    try:
        ran_ns, waited_ns, _ = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
        return _Turns(int(ran_ns) / 1e9, int(waited_ns) / 1e9)
    except (OSError, ValueError):
        return _Turns()
