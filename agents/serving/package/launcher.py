"""Launcher: a small process that starts children for one that serves, which then never has to fork.

CPython holds its lock from a fork to the child's exec, in whatever thread: 1 to 10 ms on a busy machine, in which no
request is answered. A launcher is started once, takes nothing over (no variables, no folder, no files), and ends with
its owner.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.launcher_child import is_told

if TYPE_CHECKING:
    from collections.abc import Sequence

GRACE_S: Final = 10.0
"""How much longer than children may take is waited, before their launcher is taken for lost."""
_BEGIN: Final = """
import sys
sys.path[:] = sys.argv[1:]
from driftline.agents.serving.package.launcher_child import main
main()
"""


class Launcher:
    """Starts children; several threads may ask it at once. It is itself started when it is first asked."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._door: socket.socket | None = None
        self._end: weakref.finalize[..., Launcher] | None = None

    def run(self, begin: str, files: Sequence[int], timeout_s: float) -> int | None:
        """Let a child of this interpreter run a piece of Python, and wait for its end.

        Args:
            begin: what it runs; its first argument is the launcher's pid, for one that asks the system to end it with
                the launcher, the others are what `sys.path` is here.
            files: its stdin, stdout and stderr.
            timeout_s: after which it is killed, with what it started, s; one that found no processor has it again.

        Returns:
            Its exit code, below 0 for a signal; None when it took too long.

        Raises:
            PackageError: no child could be started, or the launcher was killed.
        """
        asked = json.dumps({"begin": begin, "path": _path(), "timeout_s": timeout_s}).encode()
        heard, told = os.pipe()
        try:
            try:
                self._ask(asked, [*files, told])
            finally:
                os.close(told)
            if not is_told(heard, 2 * timeout_s + GRACE_S):
                self.close()
            answer = json.loads(os.read(heard, 4096) or b'{"error": "its launcher ended"}')
        finally:
            os.close(heard)
        if "error" in answer:
            raise PackageError(f"no child that asks the model could be started: {answer['error']}")
        code: int | None = answer["code"]
        return code

    def close(self) -> None:
        """End it, and with it its children; it is started again when it is asked again."""
        with self._lock:
            self._close()

    def _ask(self, asked: bytes, files: list[int]) -> None:
        with self._lock:
            for is_last in (False, True):
                if self._door is None:
                    self._door = self._start()
                try:
                    socket.send_fds(self._door, [asked], files)
                except OSError as error:  # it was killed since
                    self._close()
                    if is_last:
                        raise PackageError(
                            f"no child that asks the model could be started: {error.strerror}"
                        ) from error
                else:
                    return

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - a fixed list
                [sys.executable, "-I", "-c", _BEGIN, *_path()],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                process_group=0,  # in our session: Linux shares the processor between sessions first
            )
        self._end = weakref.finalize(self, _ended, process, ours)
        return ours

    def _close(self) -> None:
        if self._end is not None:
            self._end()
        self._door = self._end = None


def _ended(process: subprocess.Popen[bytes], door: socket.socket) -> None:
    door.close()
    process.kill()
    process.wait()


def _path() -> list[str]:
    """Give `sys.path` as a process in another folder needs it; what names no folder, as hooks do, stays."""
    return [str(Path(entry).absolute()) if Path(entry).exists() else entry for entry in sys.path]
