"""What is wrong with an Emitter's arguments, which raises, and with an event, which is dropped for it."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class EmitterError(DriftlineError):
    """An argument of `Emitter` is wrong; the text names it, its value and what is allowed."""


class BadEvent(Exception):  # noqa: N818 - it never leaves this package: the event is dropped and the application goes on
    """An event that cannot travel; its text is the cause that the log gives for the reason `invalid`."""


def cause_of(error: BaseException) -> str:
    """Say what went wrong in one line; an exception of the application's own may not even have a text."""
    try:
        return str(error) if isinstance(error, BadEvent) else f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:  # the caller's own
        raise
    except BaseException:  # noqa: BLE001 - whatever its __str__ does
        return type(error).__name__
