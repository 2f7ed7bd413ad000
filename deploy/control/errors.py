"""Errors of commands of control: one sentence each."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class AskingError(DriftlineError):
    """A command that cannot be built, or whose outcome is not known."""


class RefusedError(DriftlineError):
    """A command that was refused; the sentence gives the code and why."""


class TraceError(DriftlineError):
    """A prediction that cannot be found, or of which nothing is proved."""
