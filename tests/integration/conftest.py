"""The real stack for the tests of this folder; it is described in tests/support/real_stack.py."""

from __future__ import annotations

from real_stack import crew, lane, stack, tuned

__all__ = ["crew", "lane", "stack", "tuned"]
