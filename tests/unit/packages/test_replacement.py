"""Whether a package can take another's place is told in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from packaged import packed

from driftline.agents.serving.package.manifest import Manifest, Score
from driftline.agents.serving.package.replacement import misfits
from driftline.agents.serving.package.tensors import Tensor


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Return what serves."""
    return packed(tmp_path).signed.manifest


X = Tensor(name="X", datatype="FP32", shape=(-1, 3), columns=("age", "income", "visits"))
MORE = Tensor(name="town", datatype="BYTES", shape=(-1, 1))


def test_another_version_fits(manifest: Manifest) -> None:
    """A version with the same tensors fits, and so does one that answers more."""
    more = Tensor(name="why", datatype="BYTES", shape=(-1,))
    newer = msgspec.structs.replace(manifest, version="4", outputs=(*manifest.outputs, more))
    assert misfits(manifest, newer) == []
    assert misfits(newer, manifest) == ["churn 3 cannot take the place of churn 4: it has no output 'why'"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inputs": (X, MORE)}, "it wants the input 'town', which nobody sends"),
        ({"inputs": (MORE,)}, "it has no input 'X'"),
        (
            {"inputs": (msgspec.structs.replace(X, datatype="FP64"),)},
            "its input 'X' is FP64 [-1, 3] of age, income",
        ),
        (
            {"inputs": (msgspec.structs.replace(X, columns=("income", "age", "visits")),)},
            "of income, age, visits, and not",
        ),
        ({"target": "stayed"}, "its target is stayed, and not left"),
        ({"classes": ("no", "yes")}, "its classes are no, yes, and not none"),
        ({"scores": (Score(name="p", output="p"),)}, "its scores are p, and not score"),
    ],
)
def test_what_does_not_fit_is_told(manifest: Manifest, changes: dict[str, Any], told: str) -> None:
    """Other inputs, types, columns, targets, classes and scores are each a sentence."""
    other = msgspec.structs.replace(manifest, version="4", **changes)
    sentences = misfits(manifest, other)
    assert any(told in sentence for sentence in sentences), sentences
