"""The one error an Emitter raises: a wrong argument at its construction."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class EmitterError(DriftlineError):
    """An argument of `Emitter` is wrong; the text names it, its value and what is allowed."""


class BadEvent(Exception):  # noqa: N818 - it never leaves this package: the event is dropped and the application goes on
    """An event that cannot travel; its text is the cause that the log gives for the reason `invalid`."""
