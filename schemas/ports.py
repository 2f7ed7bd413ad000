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
    except (OSError, OverflowError, UnicodeError) as error:
        raise DriftlineError(
            f"metrics cannot be served on {host}:{port} ({why_none(error)}): name another port with {setting}"
        ) from error


def why_none(error: Exception) -> str:
    """Why an address cannot be had; of a name with an empty or a long label Python says how encoding it failed."""
    if isinstance(error, UnicodeError):
        return "no host can have such a name"
    return getattr(error, "strerror", None) or str(error)
