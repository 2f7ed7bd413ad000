"""P1 and P3 over crashes: whatever is cut off when, what is published last is what the facts say."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_windows import CHURN, terms_of

from driftline.schemas.columns import Identity, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.window import WindowResult
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.windows.rules import Rules

DAY_MS = 86_400_000
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
SCHEME = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.array([0.25, 0.5, 0.75]))
STEP = st.tuples(st.sampled_from("ppplllrxc"), st.integers(0, 30), st.integers(0, 40), st.integers(0, 1))


BARE = Terms(DeploymentSettings(deployment="d"), scheme=SCHEME)
TERMS = {
    "bare": BARE,
    "judged": terms_of(CHURN, minimum_rows=2),
    "waiting": terms_of(CHURN, minimum_rows=2, label_horizon_hours=5.0),
}
"""Nobody's settings and no reference; a yardstick, and a horizon as labels took so far; a declared one."""


@dataclass
class Book:
    """One set of terms for all."""

    held: Terms = BARE

    def terms(self, _deployment: str, _version: str, _at_ms: int) -> Terms:
        """What holds."""
        return self.held

    def resolutions(self, _deployment: str, version: str) -> tuple[str, ...]:
        """Days alone for one version, all for the other."""
        return ("1d",) if version == "days" else ("5m", "1h", "1d")


@dataclass
class World:
    """Two logs, the stored state, and the newest result of each window."""

    rules: Rules
    book: Book = field(default_factory=Book)
    predictions: list[PredictionColumns] = field(default_factory=list)
    labels: list[LabelColumns] = field(default_factory=list)
    state: dict[bytes, bytes] = field(default_factory=dict)
    published: dict[tuple[str, str, int], WindowResult] = field(default_factory=dict)

    def begin(self) -> Shard:
        """A worker that has read the state, and the logs from where it says on."""
        shard = Shard(0, self.book, self.rules)
        first, first_label = shard.starts(self.state)
        for offset in range(first_label, len(self.labels)):
            shard.take_labels(offset, self.labels[offset], 0)
        for offset in range(first, len(self.predictions)):
            shard.take_predictions(offset, self.predictions[offset], 0)
        shard.predictions = max(shard.predictions, first - 1)
        shard.labels = max(shard.labels, first_label - 1)
        return shard

    def publish(self, shard: Shard, *, cut: int | None = None) -> bool:
        """Publish and store the state; False when a crash cuts it after that many records."""
        assert shard.is_restored
        for count, result in enumerate(shard.results(0)):
            if count == cut:
                return False
            key = (result.model_version, result.resolution, result.window_start_ms)
            held = self.published.get(key)
            if held is None or result.version >= held.version:
                self.published[key] = WindowResult.from_bytes(result.to_bytes())
        records = shard.commit()
        for key, value in records if cut is None else records[:cut]:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        return cut is None


def batch(id_: int, minute: int, version: str) -> PredictionColumns:
    """Two predictions; the second of an id that the next batch may say again."""
    ids = np.zeros((2, 16), np.uint8)
    ids[:, 15] = id_, id_ + 1
    times = START_MS + np.array([minute, minute + 7], np.int64) * 60_000 * 60
    scores = [NumericBlock(("score",), np.array([[id_ / 32, 0.5]], np.float32))]
    return PredictionColumns("d", version, "champion", 2, None, ids, None, times, scores=scores)


def truth(seq: int, id_: int, known_at: int, value: int) -> LabelColumns:
    """A sealed label for two ids; the second is withdrawn when the value is 0."""
    ids = np.zeros((2, 16), np.uint8)
    ids[:, 15] = id_, id_ + 2
    known = np.full(2, START_MS + known_at * 60_000, np.int64)
    withdrawn = np.array([False, value == 0])
    numbers = np.where(withdrawn, np.nan, float(value))
    seal = Identity("emitter", 1, seq)
    return LabelColumns("d", 2, seal, ids, None, known, numbers=numbers, withdrawn=withdrawn)


def run(
    steps: list[tuple[str, int, int, int]], rules: Rules, version: str, *, crashes: bool, terms: Terms = BARE
) -> World:
    """Let a worker live through a schedule, and publish at its end."""
    world = World(rules, Book(terms))
    shard = world.begin()
    told = 0
    for kind, id_, when, value in steps:
        if kind == "p":
            world.predictions.append(batch(id_, when, version))
            shard.take_predictions(len(world.predictions) - 1, world.predictions[-1], 0)
        elif kind == "l":
            world.labels.append(truth(told, id_, when, value))
            told += 1
            shard.take_labels(len(world.labels) - 1, world.labels[-1], 0)
        elif kind == "r" and world.labels:
            world.labels.append(world.labels[id_ % len(world.labels)])
            shard.take_labels(len(world.labels) - 1, world.labels[-1], 0)
        elif kind == "c":
            world.publish(shard)
        elif kind == "x" and crashes:
            if value:
                world.publish(shard, cut=id_ % 5)
            shard = world.begin()
    world.publish(shard)
    return world


@settings(max_examples=many(50), deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from(["days", "all"]), st.sampled_from(sorted(TERMS)))
def test_crashes_change_nothing(steps: list[tuple[str, int, int, int]], version: str, terms: str) -> None:
    """While no window goes cold, every window's last result is that of a worker that was never cut off (`==`)."""
    rules = Rules(hot_windows=10_000)
    with_crashes, without = (
        run(steps, rules, version, crashes=one, terms=TERMS[terms]) for one in (True, False)
    )
    assert with_crashes.published.keys() == without.published.keys()
    for key, result in without.published.items():
        found = with_crashes.published[key]
        assert unpack(found.counts) == unpack(result.counts), key
        assert (found.rows, found.labels, found.final) == (result.rows, result.labels, result.final)
        assert found.provisional == result.provisional, key
        assert found.figures == result.figures


@settings(max_examples=many(50), deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from(["days", "all"]))
def test_repeats_change_nothing(steps: list[tuple[str, int, int, int]], version: str) -> None:
    """Batches of labels that are sent again, crashes or not, leave what there is without them (`==`)."""
    rules = Rules(hot_windows=10_000)
    with_repeats = run(steps, rules, version, crashes=True).published
    without = run([step for step in steps if step[0] != "r"], rules, version, crashes=False).published
    assert with_repeats.keys() == without.keys()
    for key, result in without.items():
        assert unpack(with_repeats[key].counts) == unpack(result.counts), key


@settings(max_examples=many(50), deadline=None)
@given(st.lists(STEP, max_size=40), st.sampled_from(["days", "all"]))
def test_what_is_cold_stays_as_it_was(steps: list[tuple[str, int, int, int]], version: str) -> None:
    """With one hot window, days hold the same predictions with and without crashes, and late rows are counted once."""
    rules = Rules(hot_windows=1)
    with_crashes, without = (run(steps, rules, version, crashes=one) for one in (True, False))
    for key, result in without.published.items():
        if key[1] == "1d":
            assert with_crashes.published[key].rows == result.rows
            assert with_crashes.published[key].late_rows == result.late_rows


@given(st.lists(STEP, max_size=40))
def test_a_day_is_the_sum_of_its_hours(steps: list[tuple[str, int, int, int]]) -> None:
    """Predictions and labels of the hours and of the five minutes of a day add up to the day's."""
    published = run(steps, Rules(hot_windows=10_000), "all", crashes=False).published
    days: dict[str, dict[int, tuple[int, int]]] = {"5m": {}, "1h": {}, "1d": {}}
    for (_, resolution, start), result in published.items():
        if resolution in days:
            rows, labels = days[resolution].get(start // DAY_MS, (0, 0))
            days[resolution][start // DAY_MS] = rows + result.rows, labels + result.labels
    assert days["5m"] == days["1h"] == days["1d"]
