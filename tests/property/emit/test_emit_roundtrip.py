"""Whatever values an application logs, what is read back is what a plain reading of the rules says."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
from emit_fakes import columns_of
from hypothesis import given

from driftline.agents.emit import assemble
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.options import checked
from driftline.agents.emit.seal import Lost, Packer, Sealed, Sealer
from driftline.agents.emit.shapes import ShapeBook
from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.schemas.refusal import Refused

NAMES = st.sampled_from(["a", "b", "c", "é"])
NUMBERS = (
    st.floats(width=32)
    | st.integers(-(2**24), 2**24)
    | st.floats(width=32).map(np.float32)
    | st.integers(-100, 100).map(np.int64)
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
VALUES = NUMBERS | TEXTS | st.none() | st.booleans() | st.just([1])
EVENTS = st.lists(st.dictionaries(NAMES, VALUES, min_size=1), min_size=1, max_size=12)
OPTIONS = checked("d", "1", {})


def expected(events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The rules, read slowly: a column is what its first usable value is; None or no key is null."""
    out: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for event in events for name in event):
        column = [event.get(name) for event in events]
        kinds = [
            "text" if isinstance(value, str | bool) else "number"
            for value in column
            if value is not None and not isinstance(value, list)
        ]
        kind = kinds[0] if kinds else "number"
        out[name] = [read(value, kind) for value in column]
    return out


def read(value: Any, kind: str) -> Any:
    """One value in a column of a kind."""
    if value is None or (kind == "text" and isinstance(value, float | np.floating) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return ("true" if value else "false") if kind == "text" else float(value)
    if isinstance(value, str):
        return value if kind == "text" else "?"
    if isinstance(value, list) or kind == "text":
        return "?"
    return float(np.float32(value))


def same(one: Any, two: Any) -> bool:
    """Equal, NaN to NaN."""
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    return bool(one == two)


@given(EVENTS)
def test_what_is_logged_is_what_is_read(events: list[dict[str, Any]]) -> None:
    """Every value of every event comes back as the rules say, through shapes, kinds, sealing and the codec."""
    shapes = ShapeBook({})
    kinds = Kinds(OPTIONS)
    packer = Packer(
        lambda chunk: assemble.to_columns(chunk, OPTIONS, kinds),
        pack_predictions,
        lambda cols: int(cols.times_ms.min()),
    )
    rows = []
    for at, event in enumerate(events):
        shape = shapes.find(event)
        rows.append(
            (shape, shape.take(event), at, at.to_bytes(16, "big"), None, None, None, None, None, None)
        )
    (sealed,) = Sealer("predictions", "d", "app", 1, packer).seal(assemble.of_rows(rows), 5, 0)
    assert isinstance(sealed, Sealed), sealed
    batch = read_predictions(sealed.payload)
    assert batch.times_ms.tolist() == list(range(len(events)))
    assert batch.ids.tobytes() == b"".join(at.to_bytes(16, "big") for at in range(len(events)))
    found, wanted = columns_of(batch), expected(events)
    assert found.keys() == wanted.keys()
    for name, column in wanted.items():
        assert all(map(same, found[name], column)), (name, found[name], column)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(3, 12))
def test_sealing_cuts_until_it_fits(kinds: list[int], most: int) -> None:
    """Rows that do not fit together are cut apart; those to blame are lost alone; numbers have no holes."""

    class Rows:
        def __init__(self, values: list[tuple[int, int]]) -> None:
            self.values = values
            self.rows = len(values)
            self.identity: Any = None

        def part(self, start: int, stop: int) -> Rows:
            return Rows(self.values[start:stop])

        def bare(self) -> Rows:
            return self

    def pack(batch: Rows) -> bytes:
        if any(kind == 0 for _, kind in batch.values):
            raise ValueError("cannot be packed")
        if sum(kind for _, kind in batch.values) > most:
            raise Refused("too_large", "too large")
        return bytes([at for at, _ in batch.values] + [batch.identity.seq])

    sealer = Sealer("predictions", "d", "app", 1, Packer(lambda batch: batch, pack, lambda _batch: 0))
    made = list(sealer.seal(Rows(list(enumerate(kinds))), 5, 100))
    batches = [one for one in made if isinstance(one, Sealed)]
    assert [at for one in batches for at in one.payload[:-1]] == [at for at, kind in enumerate(kinds) if kind]
    assert [one.payload[-1] for one in batches] == [one.seq for one in batches] == list(range(len(batches)))
    assert [one.ordinal for one in batches] == list(range(100, 100 + len(batches)))
    assert sum(isinstance(one, Lost) for one in made) == kinds.count(0)
    assert sum(one.rows for one in batches) == len(kinds) - kinds.count(0)
