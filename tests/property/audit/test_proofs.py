"""Proofs of any tree: made in one pass, they hold, and hold for nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.agents.audit.proofs import (
    consistency_spans,
    inclusion_spans,
    is_consistent,
    is_included,
    proof_of,
)
from driftline.agents.audit.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash

SIZES = st.integers(1, 200)


def leaves_of(size: int) -> list[bytes]:
    """Hashes of that many leaves."""
    return [leaf_hash(b"%d" % number) for number in range(size)]


def root_of(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962 defines it, by recursion."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node_hash(root_of(leaves[:half]), root_of(leaves[half:]))


def grown(leaves: list[bytes]) -> Frontier:
    """The frontier of leaves."""
    tree = Frontier()
    for leaf in leaves:
        tree.push(leaf)
    return tree


@given(st.integers(0, 200))
def test_the_frontier_gives_the_root_by_definition(size: int) -> None:
    """The frontier's root is that of the recursive definition, with one hash a bit of the size; so is a copy's."""
    tree = grown(leaves_of(size))
    copy = tree.copy()
    copy.push(EMPTY_ROOT)
    assert tree.root() == root_of(leaves_of(size))
    assert copy.root() == root_of([*leaves_of(size), EMPTY_ROOT])
    assert len(tree._peaks) == size.bit_count()


@given(st.data(), SIZES)
def test_every_leaf_is_proved(data: st.DataObject, size: int) -> None:
    """A leaf's proof holds for this leaf at this place of this tree, and for no neighbour."""
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = root_of(leaves)
    proof = proof_of(inclusion_spans(index, size), leaves)
    assert is_included(leaves[index], index, size, proof, root)
    assert not is_included(leaf_hash(b"x"), index, size, proof, root)
    assert not is_included(leaves[index], index + 1, size, proof, root)
    assert not is_included(leaves[index], index, size, [*proof, root], root)
    if proof:
        assert not is_included(leaves[index], index, size, proof[:-1], root)


@given(st.data(), SIZES)
def test_every_beginning_is_proved(data: st.DataObject, size: int) -> None:
    """A proof of consistency holds for the true beginning, and not for another one of the same size."""
    old = data.draw(st.integers(1, size))
    leaves = leaves_of(size)
    proof = proof_of(consistency_spans(old, size), leaves)
    root = root_of(leaves)
    assert is_consistent(old, size, proof, root_of(leaves[:old]), root)
    other = [hashlib.sha256(leaf).digest() for leaf in leaves[:old]]
    assert not is_consistent(old, size, proof, root_of(other), root)


@given(
    st.lists(st.binary(min_size=30, max_size=34), max_size=70), st.integers(-2, 2**70), st.integers(-2, 2**70)
)
def test_any_proof_is_survived(proof: list[bytes], one: int, two: int) -> None:
    """Proofs and sizes of any kind are answered with no, and end."""
    leaf = leaf_hash(b"")
    assert not is_included(leaf, one, two, proof, b"")
    assert not is_consistent(one, two, proof, b"", EMPTY_ROOT)


def test_what_is_not_there_has_no_proof() -> None:
    """No proof is made of a leaf behind the end, of no tree, or of leaves that were not given."""
    with pytest.raises(ValueError, match="no leaf 5"):
        inclusion_spans(5, 5)
    with pytest.raises(ValueError, match="does not begin"):
        consistency_spans(0, 5)
    with pytest.raises(ValueError, match="needs more"):
        proof_of(inclusion_spans(1, 4), leaves_of(3))
