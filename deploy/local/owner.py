"""Who listens on a port, as far as this user may see."""

from __future__ import annotations

import psutil


def owner_of_port(port: int) -> str:
    """Return "java (pid 12)" for the program that listens on a TCP port, "" when none is visible."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return _described(connection.pid)
    return ""


def _described(pid: int | None) -> str:
    if pid is None:
        return ""
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def ports_of(pid: int | None) -> list[int]:
    """Return the TCP ports a process listens on, none when it may not be looked at."""
    if pid is None:
        return []
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return []
    return sorted({each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN})
