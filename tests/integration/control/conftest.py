"""What tests of the controller on a real Kafka share; it is described in tests/support/controlled.py."""

from __future__ import annotations

from controlled import hall

__all__ = ["hall"]
