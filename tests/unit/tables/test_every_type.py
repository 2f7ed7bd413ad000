"""Every role of a reference against every Arrow type in the table that is held against it or sent."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from emit_fakes import Sink, sink
from pyarrow import feather

from driftline.deploy.compare.files import compare_files
from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.order import ordered_batches
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.send import frame_of
from driftline.schemas.profile import Profile

ROWS = 60
RNG = np.random.default_rng(3)
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
TIMES = [START + dt.timedelta(hours=hour) for hour in range(ROWS)]
STAMPS = [int(time.timestamp()) for time in TIMES]
WHOLE = list(range(ROWS))
REFERENCE = pa.table(
    {
        "seen": pa.array(TIMES, pa.timestamp("ms", "UTC")),
        "age": RNG.normal(size=ROWS),
        "plan": RNG.choice(["a", "b"], ROWS).tolist(),
        "score": RNG.random(ROWS),
        "predicted": RNG.choice(["yes", "no"], ROWS).tolist(),
        "zone": RNG.choice(["n", "s"], ROWS).tolist(),
        "latency_ms": RNG.random(ROWS),
        "state": ["ok", "bad"] * (ROWS // 2),
        "request_id": [f"r{row}" for row in range(ROWS)],
        "opened": pa.array([time.date() for time in TIMES], pa.date32()),
    }
)
MAPPING = '[columns]\nseen = "timestamp"\nzone = "segment"\nstate = "status"\nrequest_id = "id"\n'
ROLES = [name for name in REFERENCE.schema.names if name != "opened"]


def arrays() -> Iterator[tuple[str, pa.Array]]:
    """One column of each Arrow type, and some of hard values."""
    numbers = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
    for kind in numbers:
        yield kind, pa.array(WHOLE, pa.type_for_alias(kind))
    yield "float16", pa.array(np.arange(ROWS, dtype=np.float16))
    yield "seconds", pa.array(STAMPS, pa.int64())
    yield "float seconds", pa.array([float(stamp) for stamp in STAMPS])
    yield "bool", pa.array([row % 2 == 0 for row in WHOLE])
    yield "null", pa.nulls(ROWS)
    yield "empty numbers", pa.nulls(ROWS, pa.float64())
    yield "empty texts", pa.nulls(ROWS, pa.string())
    yield "empty times", pa.nulls(ROWS, pa.timestamp("us"))
    texts = [f"t{row % 5}" for row in WHOLE]
    for name in ("string", "large_string", "string_view", "binary", "large_binary", "binary_view"):
        yield name, pa.array(texts, getattr(pa, name)())
    yield "fixed binary", pa.array([b"ab"] * ROWS, pa.binary(2))
    yield "ISO texts", pa.array([time.isoformat() for time in TIMES])
    yield "yesterday", pa.array(["yesterday"] * ROWS)
    yield "dictionary", pa.array(texts).dictionary_encode()
    yield "dictionary of numbers", pa.array(WHOLE, pa.int64()).dictionary_encode()
    yield "dictionary of times", pa.array(TIMES, pa.timestamp("ms", "UTC")).dictionary_encode()
    yield "runs", pa.RunEndEncodedArray.from_arrays(pa.array([ROWS], pa.int32()), pa.array([1.0]))
    for unit in ("s", "ms", "us", "ns"):
        yield (
            f"timestamp {unit}",
            pa.array(STAMPS, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit)),
        )
        yield f"duration {unit}", pa.array(WHOLE, pa.int64()).cast(pa.duration(unit))
    yield (
        "odd ns",
        pa.array([stamp * 10**9 + 1 for stamp in STAMPS], pa.int64()).cast(pa.timestamp("ns", "UTC")),
    )
    yield "date32", pa.array([time.date() for time in TIMES], pa.date32())
    yield "date64", pa.array([time.date() for time in TIMES], pa.date64())
    yield "time32", pa.array(WHOLE, pa.int32()).cast(pa.time32("s"))
    yield "time64", pa.array(WHOLE, pa.int64()).cast(pa.time64("ns"))
    yield "interval", pa.array([pa.MonthDayNano([1, 2, 3])] * ROWS)
    for bits in (128, 256):
        kind = pa.decimal128(20, 2) if bits == 128 else pa.decimal256(60, 2)
        yield f"decimal{bits}", pa.array([decimal.Decimal(row) for row in WHOLE], kind)
    yield "list", pa.array([[1.0]] * ROWS)
    yield "list view", pa.array([[1.0]] * ROWS, pa.list_view(pa.float64()))
    yield "dictionary of bytes", pa.array([b"ab"] * ROWS).dictionary_encode()
    yield "fixed list", pa.array([[1.0]] * ROWS, pa.list_(pa.float64(), 1))
    yield "struct", pa.array([{"x": 1}] * ROWS)
    yield "map", pa.array([[("x", 1)]] * ROWS, pa.map_(pa.string(), pa.int64()))
    yield "union", pa.UnionArray.from_sparse(pa.array([0] * ROWS, pa.int8()), [pa.array(WHOLE)])
    yield "extension", pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * ROWS, pa.binary(16)))


ARRAYS = dict(arrays())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the reference and its mapping."""
    home = tmp_path_factory.mktemp("types")
    feather.write_feather(REFERENCE, home / "reference.arrow", compression="uncompressed")
    (home / "mapping.toml").write_text(MAPPING)
    return home


@pytest.fixture(scope="module")
def profile(folder: Path) -> Profile:
    """The profile of the reference."""
    planned = plan_table(folder / "reference.arrow", folder / "mapping.toml")
    assert {one.name: one.role for one in planned.plan.columns if one.role != "ignore"}.keys() == set(ROLES)
    return build_from_table(planned, "d", "1", provenance="held-out").profile


def changed(folder: Path, column: str, values: pa.Array) -> Path:
    """Write the reference with another column in the place of one of its own."""
    place = REFERENCE.schema.names.index(column)
    path = folder / "current.arrow"
    table = REFERENCE.set_column(place, column, values)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


@pytest.fixture(scope="module")
def emitter(folder: Path, profile: Profile) -> Iterator[Sink]:
    """An emitter as `driftline emit` makes one; in the end all that was sent has travelled."""
    categorical = {one.name for one in profile.columns if one.kind == "categorical" and one.role == "feature"}
    with sink(folder / "spool", categorical=categorical) as held:
        yield held
        stats = held.stats()
        assert stats.spooled == stats.enqueued > 0


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("column", ROLES)
def test_a_table_is_compared_or_refused_in_one_sentence(folder: Path, column: str, kind: str) -> None:
    """`compare` reads the column, or names it, what it holds and what to do."""
    path = changed(folder, column, ARRAYS[kind])
    try:
        compare_files(folder / "reference.arrow", path, mapping=folder / "mapping.toml", scores="held-out")
    except TableError as error:
        said(str(error), column, ARRAYS[kind])


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize(
    "column", [name for name in ROLES if name not in ("latency_ms", "state", "request_id")]
)
def test_a_table_is_sent_or_refused_in_one_sentence(
    folder: Path, profile: Profile, emitter: Sink, column: str, kind: str
) -> None:
    """`emit` sends every row under the profile, or names the column, what it holds and what to do."""
    path = changed(folder, column, ARRAYS[kind])
    try:
        planned = plan_table(path, None, profile)
        for batch in ordered_batches(planned.source, planned.plan):
            frame, roles = frame_of(batch, planned.plan, 0)
            emitter.emitter.log_frame(frame, **roles)
        assert emitter.emitter.stats().dropped == {}
    except TableError as error:
        said(str(error), column, ARRAYS[kind])
    else:
        timestamp = planned.plan.one("timestamp")
        assert timestamp is not None
        assert timestamp.name == "seen"


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("column", ROLES)
def test_a_mapped_table_is_profiled_or_refused_in_one_sentence(folder: Path, column: str, kind: str) -> None:
    """`profile build` with a mapping reads the column, or names it and what it holds."""
    path = changed(folder, column, ARRAYS[kind])
    try:
        build_from_table(plan_table(path, folder / "mapping.toml"), "d", "1")
    except TableError as error:
        said(str(error), column, ARRAYS[kind])


def said(sentence: str, column: str, values: pa.Array) -> None:
    """Hold that a sentence names the column, what it holds, and what to do."""
    assert "\n" not in sentence
    if "has a predicted class" in sentence:
        return
    assert repr(column) in sentence or f"{column} =" in sentence
    held = ("no value", "texts as", "whole numbers", "without", "read as", "no ISO 8601 time")
    assert str(values.type) in sentence or any(word in sentence for word in held), sentence
