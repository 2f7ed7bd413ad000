"""Batches of labels that are sent again do nothing, before a restart and after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from driftline.schemas.columns import Identity, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.seals import REPEATS_MAX, Seals
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.windows.rules import Rules

DAY_MS = 86_400_000
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
SCHEME = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.array([0.5]))
IDS = np.zeros((1, 16), np.uint8)


class Book:
    """One scheme for all."""

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """The scheme, and nobody's settings."""
        return Terms(DeploymentSettings(deployment=deployment), scheme=SCHEME)

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Days."""
        return ("1d",)


def truth(seq: int, value: float) -> LabelColumns:
    """A label that became known when all others did."""
    known = np.full(1, START_MS, np.int64)
    return LabelColumns("d", 1, Identity("e", 1, seq), IDS, None, known, numbers=np.array([value]))


def begun(log: list[LabelColumns], state: dict[bytes, bytes]) -> Shard:
    """A worker that has read one prediction and the labels of a log, from where the state says on."""
    said = PredictionColumns(
        "d", "1", "champion", 1, None, IDS, None, np.full(1, START_MS, np.int64),
        scores=[NumericBlock(("score",), np.array([[0.9]], np.float32))],
    )  # fmt: skip
    shard = Shard(0, Book(), Rules())
    _, first = shard.starts(state)
    shard.take_predictions(0, said, 0)
    for offset in range(first, len(log)):
        shard.take_labels(offset, log[offset], 0)
    return shard


def hits(shard: Shard) -> int:
    """Publish, and give how many labels say what the prediction said."""
    (day,) = [one for one in shard.results(0) if one.resolution == "1d"]
    return int(np.trace(unpack(day.counts).confusion))


def test_a_batch_sent_again_brings_no_old_label_back() -> None:
    """A label, its correction of the same moment, and the first batch again: the correction stays in force."""
    log = [truth(0, 0.0), truth(1, 1.0), truth(0, 0.0)]
    assert hits(begun(log, {})) == 1
    assert hits(begun(log[:2], {})) == 1
    assert hits(begun(log[:1], {})) == 0


def test_a_restart_tells_repeats_from_what_it_reads_again() -> None:
    """Cut off anywhere, with the seals stored and the position not, the correction stays in force."""
    log = [truth(0, 0.0), truth(1, 1.0), truth(0, 0.0), truth(1, 1.0), truth(0, 0.0)]
    for count in range(2, len(log) + 1):
        shard = begun(log[:count], {})
        assert hits(shard) == 1
        records = shard.commit()
        for kept in range(1, len(records) + 1):
            state = {key: value for key, value in records[:kept] if value is not None}
            again = begun(log, state)
            assert hits(again) == 1


def test_without_a_seal_nothing_is_a_repeat() -> None:
    """Labels of plain producers are taken as often as they come; those read again are neither new nor repeats."""
    seals = Seals()
    assert all(seals.is_new(offset, None, 0) for offset in (0, 1, 1, 0))
    assert seals.is_new(2, Identity("e", 1, 0), 0)
    assert not seals.is_new(3, Identity("e", 1, 0), 0)
    again = Seals.from_bytes(seals.to_bytes(0))
    assert [again.is_new(offset, Identity("e", 1, 0), 0) for offset in (2, 3, 4)] == [True, False, False]


def test_repeats_are_bounded() -> None:
    """Offsets of repeats before what a restart reads are let go, and of too many the oldest."""
    seals = Seals()
    for offset in range(REPEATS_MAX + 50):
        seals.is_new(offset, Identity("e", 1, 0), 0)
    assert len(Seals.from_bytes(seals.to_bytes(0)).repeats) == REPEATS_MAX
    assert min(Seals.from_bytes(seals.to_bytes(4_000)).repeats) == 4_000
    assert not Seals.from_bytes(seals.to_bytes(REPEATS_MAX + 50)).repeats


def test_a_deployment_let_go_leaves_no_seals() -> None:
    """Once a deployment that only labels spoke of is forgotten, its seals are a tombstone and take no memory."""
    shard = Shard(0, Book(), Rules())
    shard.take_labels(0, truth(0, 0.0), 0)
    list(shard.results(0))
    assert [value is None for key, value in shard.commit() if key == b"md"] == [False]
    shard.take_labels(1, replace(truth(0, 0.0), deployment="other"), 2 * DAY_MS)
    list(shard.results(0))
    assert [value is None for key, value in shard.commit() if key == b"md"] == [True]
