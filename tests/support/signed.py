"""What tests of control share: keys made from a word, so that every run signs alike."""

from __future__ import annotations

import hashlib
from functools import cache

from driftline.agents.control.keys import Key, of_seed


@cache
def key(word: str) -> Key:
    """Return the key of a word."""
    return of_seed(hashlib.sha256(word.encode()).digest())
