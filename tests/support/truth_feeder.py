"""A seeded flow of predictions and labels: early, late, corrected, withdrawn, sent twice, of ids said twice."""

from __future__ import annotations

import threading
import time

import numpy as np
from confluent_kafka import Producer
from numpy.typing import NDArray
from truth_models import DAY_MS, MODELS, Model, predictions

from driftline.schemas.columns import (
    Category,
    Identity,
    LabelColumns,
    PredictionColumns,
    pack_labels,
    pack_predictions,
)
from driftline.schemas.settings import Settings, producer_config

HOUR_MS = 3_600_000
ROWS = 40
HOURS = (2, 9, 20)
"""Hours of the day that have traffic."""
KNOWN_MS = (0, 60_000, HOUR_MS, DAY_MS, 7 * DAY_MS, 40 * DAY_MS)
"""How long after its event a label becomes known; few values, so that two labels of an id are often of one time."""
WORSE = (0.4, 0.7)
"""Part of the run in which a binary truth is the reverse of what the models learned."""
SLOTS = (("1", "champion"), ("2", "challenger"))


class TruthFeeder(threading.Thread):
    """Sends rounds of every model until all are sent; event time passes from round to round, not by the clock.

    Args:
        settings: where Kafka is.
        seed: all that is sent follows from it and from the times.
        rounds: how many.
        round_s: seconds between two.
        start_ms: where event time begins.
    """

    def __init__(self, settings: Settings, seed: int, rounds: int, round_s: float, start_ms: int) -> None:
        super().__init__(name="truth-feeder", daemon=True)
        self._prefix = settings.kafka.topic_prefix
        self._producer = Producer(producer_config(settings.kafka, message_timeout_ms=300_000))
        self._seed, self._rounds, self._round_s, self._start_ms = seed, rounds, round_s, start_ms
        self._draw = np.random.default_rng(seed)
        self._seqs: dict[tuple[str, str], int] = {}
        self._sent: list[tuple[str, bytes, bytes]] = []
        self.failed = 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Send every round."""
        try:
            for number in range(self._rounds):
                for model in MODELS:
                    self._round(model, number)
                self._producer.poll(0)
                time.sleep(self._round_s)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self.fault = error
        self.failed += self._producer.flush(300)

    def finish(self) -> None:
        """Wait until every round is sent and acknowledged."""
        self.join(self._rounds * (self._round_s + 2) + 320)
        assert self.fault is None, self.fault
        assert not self.failed, "the producer gave messages up"

    def _round(self, model: Model, number: int) -> None:
        """Send what a model says in a round, labels of it, of the round after next and of earlier ones, and repeats."""
        draw = self._draw
        self._labels(model, min(number + 2, self._rounds - 1), 0.1)
        ids, times, scores, _, region = self._rows(model, number)
        for version, slot in SLOTS:
            part = slice(None) if slot == "champion" else slice(ROWS // 2)
            values = Category(region.name, region.levels, region.codes[part])
            self._send_predictions(
                predictions(model, version, slot, ids[part], scores[:, part], values, times[part])
            )
        # The same ids again with other answers: at once, later in the same hour, in another hour or day.
        again = draw.integers(0, ROWS, 4)
        later = times[again] + draw.choice([0, 90_000, 7 * HOUR_MS, 2 * DAY_MS], 4)
        later = np.minimum(later, self._start_ms + model.days * DAY_MS)
        values = Category(region.name, region.levels, region.codes[again])
        self._send_predictions(
            predictions(model, "1", "champion", ids[again], scores[:, again[::-1]], values, later)
        )
        self._labels(model, number, 0.5)
        for past in draw.integers(0, number + 1, 3).tolist():
            self._labels(model, past, 0.3)
        if draw.random() < 0.15:
            self._produce(*self._sent[int(draw.integers(0, len(self._sent)))])
        del self._sent[:-400]

    def _rows(
        self, model: Model, number: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32], NDArray[np.float64], Category]:
        """Give ids, event times, scores, truths and segment of a round: the same whenever it is asked for."""
        draw = np.random.default_rng([self._seed, MODELS.index(model), number])
        ids = draw.integers(0, 256, (ROWS, 16), dtype=np.uint8)
        passed = number * model.days / self._rounds
        hour = HOURS[int(passed % 1 * len(HOURS))]
        start = self._start_ms + int(passed) * DAY_MS + hour * HOUR_MS
        times = start + draw.integers(0, 55 * 60_000, ROWS)
        scores, truth, region = model.answers(draw, ROWS)
        scores[:, draw.random(ROWS) < 0.02] = np.nan
        if model.task == "binary" and WORSE[0] <= number / self._rounds < WORSE[1]:
            truth = 1 - truth
        return ids, times, scores, truth, region

    def _labels(self, model: Model, number: int, share: float) -> None:
        """Send labels of some rows of a round, and of an id that nobody predicts."""
        draw = self._draw
        ids, times, _, truth, _ = self._rows(model, number)
        mine = np.flatnonzero(draw.random(ROWS) < share)
        rows = len(mine) + 1
        ids = np.concatenate([ids[mine], draw.integers(0, 256, (1, 16), dtype=np.uint8)])
        known = np.append(times[mine], times[0]) + draw.choice(KNOWN_MS, rows)
        numbers, classes = model.truths(np.append(truth[mine], 0.0))
        # Some are corrected to another value, some name no class, some are numbers or classes where others are not.
        odd = draw.random(rows)
        if model.task == "regression":
            numbers = np.where(odd < 0.1, numbers + 1, np.where(odd < 0.12, 0.0, numbers))
            codes = np.where(odd > 0.98, 0, -1).astype(np.int32)
            numbers[codes >= 0] = np.nan
            classes = Category("class", ("expensive",), codes)
        else:
            codes = np.where(odd < 0.1, 0, np.where(odd < 0.13, len(model.classes), classes.codes)).astype(
                np.int32
            )
            classes = Category("class", (*model.classes, "maybe"), codes)
            as_number = (odd > 0.6) & (codes < 2) & (model.task == "binary")
            numbers = np.where(as_number, codes, np.nan)
            codes[as_number] = -1
        withdrawn = draw.random(rows) < 0.08
        numbers[withdrawn] = np.nan
        classes.codes[withdrawn] = -1
        cols = LabelColumns(
            model.name, rows, self._seal("labels", model.name), ids, None, known,
            numbers=numbers, classes=classes, withdrawn=withdrawn,
        )  # fmt: skip
        self._keep("labels", model.name, pack_labels(cols))

    def _send_predictions(self, cols: PredictionColumns) -> None:
        cols.identity = self._seal("predictions", cols.deployment)
        self._keep("predictions", cols.deployment, pack_predictions(cols))

    def _seal(self, topic: str, deployment: str) -> Identity:
        number = self._seqs.get((topic, deployment), 0)
        self._seqs[topic, deployment] = number + 1
        return Identity("truth-feeder", 1, number)

    def _keep(self, topic: str, deployment: str, value: bytes) -> None:
        record = (topic, deployment.encode(), value)
        self._sent.append(record)
        self._produce(*record)

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        self._producer.produce(self._prefix + topic, value, key, on_delivery=self._delivered)

    def _delivered(self, error: object, _message: object) -> None:
        self.failed += error is not None
