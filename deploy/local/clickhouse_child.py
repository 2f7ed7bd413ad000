"""Run as a script: become a ClickHouse server out of its library, for as long as the parent lives.

    python clickhouse_child.py PARENT_PID LIBRARY SECURE ARGUMENTS...

SECURE is JSON: null, or what a secured server has before it: `port`, `inner_port`, `certificate` (file), and the files
that it may read and write, `readable` and `writable`.

stdin is a pty whose other end the parent holds: when that end closes, ClickHouse reads end-of-file and leaves
cleanly. Should that fail (another process holds the pty, the engine hangs), a watching thread ends it.
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any

_WATCH_SECONDS = 0.25
# Time for ClickHouse to leave by itself after its parent is gone.
_GRACE_SECONDS = 2.0
_ARGUMENTS = (
    "--interactive",
    "--disable_suggestion",
    "--highlight=0",
    # In the folder it is started in. The line editor makes its history private: as root it would close /dev/null.
    "--history_file=history",
    "--log-level=warning",
)


def watch(parent_pid: int) -> None:
    """End this process a little after its parent is gone."""
    while os.getppid() == parent_pid:
        time.sleep(_WATCH_SECONDS)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def beside(module: str) -> dict[str, Any]:
    """What a module beside this script defines: it is run without driftline on its path."""
    return runpy.run_path(str(Path(__file__).with_name(f"{module}.py")))


def secure(given: dict[str, Any]) -> None:
    """Open the door with TLS, and give up every file and port that is not needed."""
    ports = given["port"], given["inner_port"]
    # It has read its key before this thread, and those that it starts from here on, can no more.
    door = beside("relay")["Relay"](*ports, given["certificate"])
    if not beside("confine")["confine"](given["readable"], given["writable"], ports):
        sys.stderr.write(
            "Landlock is not there: every user of ClickHouse can read this user's files by file()\n"
        )
    door.opened()


def main() -> None:
    """Start the watch and hand the process to ClickHouse's own command line."""
    given = json.loads(sys.argv[3])
    if given is not None:
        secure(given)
    threading.Thread(target=watch, args=(int(sys.argv[1]),), daemon=True).start()
    words = ["clickhouse", *_ARGUMENTS, *sys.argv[4:], "--query", "SYSTEM START LISTEN HTTP"]
    encoded = [word.encode() for word in words]
    ctypes.CDLL(sys.argv[2]).chdb_query_cmdline(len(encoded), (ctypes.c_char_p * len(encoded))(*encoded))
    # Python's own shutdown would unload the engine under its running threads.
    os._exit(0)


if __name__ == "__main__":
    main()
