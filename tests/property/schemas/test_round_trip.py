"""Whatever packs reads back the same, and packs again to the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.schemas.columns import pack_labels, pack_predictions, read_labels, read_predictions

Same = Callable[[object, object], bool]
Strategies = dict[str, st.SearchStrategy[Any]]
FACES: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], object]]] = {
    "predictions": (pack_predictions, read_predictions),
    "labels": (pack_labels, read_labels),
}


@pytest.mark.parametrize("kind", FACES)
def test_what_is_packed_is_read(kind: str, strategies: Strategies, same: Same) -> None:
    """Reading undoes packing: widths, NaN, infinities, nulls, gaps, empty levels, ids, seal."""
    pack, read = FACES[kind]

    @settings(max_examples=many(200))
    @given(strategies[kind])
    def holds(cols: object) -> None:
        data = pack(cols)
        back = read(data)
        assert same(back, cols)
        assert pack(back) == data

    holds()
