"""Ports on loopback: chosen ones are checked, free ones are found where no outgoing connection takes them."""

from __future__ import annotations

import random
import socket

from driftline.deploy.local.errors import StackError

LOOPBACK = "127.0.0.1"
# Below Linux's range for outgoing connections (32768 up), so that a component that was killed finds its port free.
FREE_PORTS = range(20_000, 32_000)
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(taken: set[int], preferred: int = 0) -> int:
    """Return a free port that is not in `taken`: the preferred one if it is free, else one of FREE_PORTS.

    Raises:
        StackError: no free port was found.

    """
    if preferred and preferred not in taken and is_free(preferred):
        return preferred
    for _ in range(_ATTEMPTS):
        port = random.SystemRandom().choice(FREE_PORTS)
        if port not in taken and is_free(port):
            return port
    raise StackError(
        f"no free port was found in {FREE_PORTS.start}..{FREE_PORTS.stop - 1}: close some programs"
    )


def check_apart(kafka_port: int, clickhouse_port: int) -> None:
    """Check that two servers of this machine were not given one port (0: a free one).

    Raises:
        StackError: they were.

    """
    if kafka_port and kafka_port == clickhouse_port:
        raise StackError(
            f"Kafka and ClickHouse are both to listen on port {kafka_port}: choose another with --kafka-port or "
            "--clickhouse-port"
        )


def claim(port: int, *, setting: str, owner: str = "") -> int:
    """Return a port that a person chose.

    Raises:
        StackError: another program listens on it; `owner` names that program when it is known.

    """
    if not is_free(port):
        by = f" by {owner}" if owner else ""
        raise StackError(
            f"the port {port} on {LOOPBACK} is in use{by}: free it, or choose another with {setting}"
        )
    return port
