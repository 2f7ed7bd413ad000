"""Ports: what a process says that cannot have the one on which Prometheus is to ask it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def metrics_on(host: str, port: int, setting: str) -> Iterator[None]:
    """Begin to serve metrics inside.

    Args:
        host: where they are served.
        port: likewise.
        setting: that names the port.

    Raises:
        DriftlineError: the port is taken, or is none of this machine.
    """
    try:
        yield
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise DriftlineError(
            f"metrics cannot be served on {host}:{port} ({why}): name another port with {setting}"
        ) from error
