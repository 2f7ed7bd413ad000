"""Errors of control that a person sees: one sentence each."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class SignatureError(DriftlineError):
    """A signature that a known key did not make."""


class KeyFileError(DriftlineError):
    """A key file that cannot be made, read or trusted."""


class PolicyError(DriftlineError):
    """A policy that cannot be read, or says what it must not."""


class TrustError(DriftlineError):
    """A trust file that cannot be read, or a trust that cannot hold."""
