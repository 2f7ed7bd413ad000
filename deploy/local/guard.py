"""Run as a script before a program: tie its life to its parent's, then become the program.

    python guard.py SIGNAL PARENT_PID PROGRAM ARGUMENTS...

The kernel sends SIGNAL to the program when the *thread* that started it ends (prctl PR_SET_PDEATHSIG, kept
over exec), so a parent that was killed with -9 leaves no orphan.
"""

from __future__ import annotations

import ctypes
import os
import sys

# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
# What sh reports for a command that was found but not started.
NOT_STARTED_EXIT = 126


def tied(death_signal: int, *command: str) -> list[str]:
    """Give the words that start a program which gets a signal when the thread that started it ends."""
    return [sys.executable, "-I", "-S", __file__, str(int(death_signal)), str(os.getpid()), *command]


def tie(death_signal: int, parent_pid: int) -> None:
    """Ask the kernel for the signal; leave at once when the parent is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_SET_PDEATHSIG")
    if os.getppid() != parent_pid:
        os._exit(NOT_STARTED_EXIT)


def main() -> None:
    """Tie and become the program named by the arguments."""
    tie(int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])  # noqa: S606


if __name__ == "__main__":
    main()
