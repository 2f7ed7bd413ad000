"""Errors of the audit that a person sees: one sentence each."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class AuditError(DriftlineError):
    """Something of the audit that cannot be read, trusted or written."""


class NoteError(AuditError):
    """Bytes that are no signed note, or no checkpoint, or a signature on one that does not hold."""


class WitnessError(AuditError):
    """A history that a witness will not sign; what it signed before stands."""
