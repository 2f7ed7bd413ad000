"""Landlock: let a process reach only the files and TCP ports that it is given, for good. Standard library alone.

The engine of the local ClickHouse is the one of `clickhouse local`, whose function file() reads whatever the process
can read, for every user. A kernel without Landlock (before 5.19, or switched off) confines nothing.
Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h of the kernel.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_PATH, _PORT = 1, 2
_NO_NEW_PRIVILEGES = 38
# LANDLOCK_ACCESS_FS_*: execute, write, read a file, read a folder, then what makes, removes and truncates.
_READ = 1 << 0 | 1 << 2 | 1 << 3
_RENAMES_FROM, _TRUNCATE_FROM, _NET_FROM, _IOCTL_FROM = 2, 3, 4, 5
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_BIND, _CONNECT = 1, 2


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64))


class _Path(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Port(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def confine(readable: Iterable[str], writable: Iterable[str], ports: Iterable[int]) -> bool:
    """Confine this thread and all that it starts; say whether the kernel does.

    Args:
        readable: files and folders to read and execute; those that are not there are left out.
        writable: files and folders to do anything in.
        ports: TCP ports that may be listened on and connected to.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, 0, _VERSION_FLAG)
    # Before its second version it forbids every rename into another folder.
    if version < _RENAMES_FROM:
        return False
    everything = (1 << (16 if version >= _IOCTL_FROM else 15 if version >= _TRUNCATE_FROM else 14)) - 1
    net = _BIND | _CONNECT if version >= _NET_FROM else 0
    rules = _Ruleset(everything, net)
    size = ctypes.sizeof(rules) if net else ctypes.sizeof(ctypes.c_uint64)
    ruleset = libc.syscall(_CREATE, ctypes.byref(rules), size, 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(libc, ruleset, path, _READ)
        for path in writable:
            _allow(libc, ruleset, path, everything)
        for port in ports if net else ():
            rule = _Port(net, port)
            _checked(libc.syscall(_ADD, ruleset, _PORT, ctypes.byref(rule), 0))
        _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError):
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _Path(rights if os.path.isdir(path) else rights & _OF_FILES, found)  # noqa: PTH112 - no pathlib here
            _checked(libc.syscall(_ADD, ruleset, _PATH, ctypes.byref(rule), 0))
        finally:
            os.close(found)


def _checked(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "landlock")
