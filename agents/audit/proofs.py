"""Proofs that a record lies in a tree, and that a tree is the beginning of a larger one: made and checked.

driftline proves inclusion; its own witness reads the whole audit. The other proofs are for witnesses of other makers,
who ask for them, and are held by the published vectors.

A proof is a list of hashes of subtrees. Which ones follows from the sizes alone, so a proof is made in one pass over
the leaves with a frontier for each subtree. Sources: RFC 6962, sections 2.1.1 and 2.1.2 (making); RFC 9162, sections
2.1.3.2 and 2.1.4.2 (checking); draft-ietf-plants-merkle-tree-certs, "Subtrees", for parts of trees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.audit.tree import EMPTY_ROOT, HASH_BYTES, Frontier, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""First leaf of a subtree, and the leaf after its last one."""
MAX_LEAVES: Final = 2**63
MAX_HASHES: Final = 64
"""Of a proof; a longer one belongs to no tree."""


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Give the subtrees whose hashes prove that leaf `index` lies in a tree, in the order of the proof.

    >>> inclusion_spans(2, 5)
    [(3, 4), (0, 2), (4, 5)]

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    spans = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Give the subtrees whose hashes prove that a tree of `old` leaves begins one of `new`, in the order of the proof.

    >>> consistency_spans(3, 7)
    [(2, 3), (3, 4), (0, 2), (4, 7)]

    Raises:
        ValueError: `old` is 0 or larger than `new`.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {old} leaves does not begin one of {new}, or begins every one")
    spans = []
    start, end, is_whole = 0, new, True
    while end > old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start, is_whole = middle, False
    if not is_whole:
        spans.append((start, end))
    return spans[::-1]


class SpanRoots:
    """Computes the roots of subtrees that do not overlap, in one pass over the leaves of the tree.

    Args:
        spans: which subtrees, in any order.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = list(spans)
        self._waiting = sorted(spans, reverse=True)
        self._grown: dict[Span, Frontier] = {span: Frontier() for span in spans}
        self._next = 0

    def push(self, leaf: bytes) -> None:
        """Take the hash of the next leaf, from leaf 0 on."""
        while self._waiting and self._waiting[-1][1] <= self._next:
            self._waiting.pop()
        if self._waiting and self._waiting[-1][0] <= self._next:
            self._grown[self._waiting[-1]].push(leaf)
        self._next += 1

    def roots(self) -> list[bytes]:
        """Give the roots, in the order of `spans`; raises ValueError when leaves are missing."""
        for span in self._spans:
            if self._grown[span].size != span[1] - span[0]:
                raise ValueError(f"{self._next} leaves were given, and subtree {span} needs more")
        return [self._grown[span].root() for span in self._spans]


def proof_of(spans: Sequence[Span], leaves: Iterable[bytes]) -> list[bytes]:
    """Make the proof of `spans` from the hashes of the leaves, in order."""
    made = SpanRoots(spans)
    for leaf in leaves:
        made.push(leaf)
    return made.roots()


def is_included(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes, *, start: int = 0
) -> bool:
    """Whether a proof shows that a leaf lies in a tree.

    Args:
        leaf: its hash.
        index: its number, from 0 on.
        size: the leaf after the last one of the tree.
        proof: hashes, the leaf's sibling first.
        root: of the tree.
        start: first leaf of the tree, for a subtree of a larger one.
    """
    if not (_is_subtree(start, size) and start <= index < size) or not _are_hashes(leaf, *proof):
        return False
    at, last, found = index - start, size - start - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(one, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, one)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a proof shows that a tree of `old` leaves, at least 1, is the beginning of one of `new` leaves.

    Args:
        old: leaves of the smaller tree.
        new: leaves of the larger one.
        proof: hashes, as `consistency_spans` orders them.
        old_root: root of the smaller tree.
        new_root: root of the larger one.
    """
    return old > 0 and is_part((0, old), new, proof, old_root, new_root)


def is_part(span: Span, size: int, proof: Sequence[bytes], span_root: bytes, root: bytes) -> bool:
    """Whether a proof shows that a subtree is part of a tree of `size` leaves.

    Args:
        span: of the subtree; an empty one is part of every tree.
        size: leaves of the tree.
        proof: hashes.
        span_root: root of the subtree.
        root: root of the tree.
    """
    start, stop = span
    if start == stop <= size:
        return not proof and span_root == EMPTY_ROOT
    if not _is_subtree(start, stop) or not stop <= size <= MAX_LEAVES or not _are_hashes(*proof):
        return False
    first, last, end = start, stop - 1, size - 1
    is_at_end = last == end
    while first != last and (is_at_end or last & 1):
        first, last, end = first >> 1, last >> 1, end >> 1
    if first == last:
        return _grown((first, last, end), span_root, proof) == (span_root, root)
    return bool(proof) and _grown((first, last, end), proof[0], proof[1:]) == (span_root, root)


def _grown(place: tuple[int, int, int], seed: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots of the subtree and of the tree that a proof leads to; None when it has not as many hashes as it must.

    Args:
        place: at the level of `seed`, the subtree's first and last node and the tree's last one.
        seed: a node that both have.
        proof: the nodes that are missing, from the leaves up.
    """
    first, last, end = place
    small = large = seed
    for one in proof:
        if end == 0:
            return None
        if last & 1 or last == end:
            small = node_hash(one, small) if first < last else small
            large = node_hash(one, large)
            while not last & 1:
                first, last, end = first >> 1, last >> 1, end >> 1
        else:
            large = node_hash(large, one)
        first, last, end = first >> 1, last >> 1, end >> 1
    return (small, large) if end == 0 else None


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _is_subtree(start: int, end: int) -> bool:
    """Whether leaves `start` to `end` are a subtree of every larger tree: `start` is a multiple of its width."""
    if not 0 <= start < end <= MAX_LEAVES:
        return False
    return start % (1 << (end - start - 1).bit_length()) == 0


def _are_hashes(*hashes: bytes) -> bool:
    return len(hashes) <= MAX_HASHES and all(len(one) == HASH_BYTES for one in hashes)
