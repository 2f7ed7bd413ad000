"""Proofs against the vectors of transparency-dev/merkle (RFC 6962, RFC 9162, subtrees)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from driftline.agents.audit.proofs import is_consistent, is_included, is_part

FOLDER = Path(__file__).resolve().parent / "rfc9162"


def vectors(kind: str) -> list[Any]:
    """The vectors of one kind, each under the name of its file."""
    lines = (FOLDER / f"{kind}.ndjson").read_text(encoding="ascii").splitlines()
    rows = [json.loads(line) for line in lines]
    return [pytest.param(row, id=row["file"].removesuffix(".json")) for row in rows]


def hashes(row: dict[str, Any]) -> list[bytes]:
    """The proof; an empty one may be null."""
    return [base64.b64decode(text) for text in row["proof"] or []]


def decoded(row: dict[str, Any], *names: str) -> list[bytes]:
    """Fields that are base64."""
    return [base64.b64decode(row[name]) for name in names]


@pytest.mark.parametrize("row", vectors("consistency"))
def test_consistency_is_as_the_vector_says(row: dict[str, Any]) -> None:
    """A proof that one tree begins another holds exactly where the vector says so."""
    roots = decoded(row, "root1", "root2")
    assert is_consistent(row["size1"], row["size2"], hashes(row), *roots) != row["wantErr"]


@pytest.mark.parametrize("row", vectors("inclusion"))
def test_inclusion_is_as_the_vector_says(row: dict[str, Any]) -> None:
    """A proof that a leaf lies in a tree holds exactly where the vector says so."""
    leaf, root = decoded(row, "leafHash", "root")
    assert is_included(leaf, row["leafIdx"], row["treeSize"], hashes(row), root) != row["wantErr"]


@pytest.mark.parametrize("row", vectors("subtreeconsistency"))
def test_subtree_consistency_is_as_the_vector_says(row: dict[str, Any]) -> None:
    """A proof that a subtree is part of a tree holds exactly where the vector says so."""
    roots = decoded(row, "root1", "root2")
    assert is_part((row["start"], row["end"]), row["size"], hashes(row), *roots) != row["wantErr"]


@pytest.mark.parametrize("row", vectors("subtreeinclusion"))
def test_subtree_inclusion_is_as_the_vector_says(row: dict[str, Any]) -> None:
    """A proof that a leaf lies in a subtree holds exactly where the vector says so."""
    leaf, root = decoded(row, "leafHash", "root")
    found = is_included(leaf, row["leafIdx"], row["end"], hashes(row), root, start=row["start"])
    assert found != row["wantErr"]
