"""The real stack for the tests of this folder; it is described in tests/support/real_stack.py."""

from __future__ import annotations

import os
import random

import pytest
from controlled import hall
from real_stack import crew, lane, stack, tuned
from rig import say

__all__ = ["crew", "hall", "lane", "stack", "tuned"]


@pytest.fixture
def seed() -> int:
    """The seed of this run, printed: CHAOS_SEED repeats it."""
    given = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(1 << 31))
    say(f"chaos seed {given}")
    return int(given)
