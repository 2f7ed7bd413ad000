"""Tree: the Merkle tree of RFC 6962 over the records, and its frontier, which is all that growing it needs.

Sources: RFC 6962, section 2.1; RFC 9162, section 2.1. Hashes are SHA-256, 32 bytes each.
"""

from __future__ import annotations

import hashlib
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(record: bytes) -> bytes:
    """Hash a leaf: the record's bytes behind a byte 0."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node: both its children's hashes behind a byte 1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the whole subtrees that a tree is made of, the largest first: as many as its size has bits of 1.

    A thousand million records have at most 30, so neither a writer nor a verifier needs more memory than that.

    >>> tree = Frontier()
    >>> tree.push(leaf_hash(b""))
    >>> tree.root().hex()[:16], tree.size
    ('6e340b9cffb37a98', 1)

    Attributes:
        size: leaves so far.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def push(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        peaks, bits = self._peaks, self.size
        while bits & 1:
            leaf = node_hash(peaks.pop(), leaf)
            bits >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Give the root of the tree."""
        if not self._peaks:
            return EMPTY_ROOT
        right = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            right = node_hash(left, right)
        return right

    def copy(self) -> Frontier:
        """Give one that grows by itself."""
        made = Frontier()
        made.size, made._peaks = self.size, self._peaks.copy()
        return made
