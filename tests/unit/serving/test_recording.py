"""How calls become rows of an Emitter: columns of all calls one after another, whatever their tensors are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from served import Kept, loaded, manifest

from driftline.agents.serving import recording
from driftline.agents.serving.call import Call, Request
from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.package.manifest import Score
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.recording import Recorder
from driftline.agents.serving.slots import Loaded
from driftline.agents.serving.v2 import Ask

INPUTS = (
    Tensor(name="X", datatype="FP32", shape=(-1, 2), columns=("a", "b")),
    Tensor(name="n", datatype="INT64", shape=(-1,)),
    Tensor(name="city", datatype="BYTES", shape=(-1, 1)),
    Tensor(name="new", datatype="BOOL", shape=(-1,)),
)
OUTPUTS = (
    Tensor(name="p", datatype="FP32", shape=(-1, 2)),
    Tensor(name="label", datatype="INT64", shape=(-1,)),
    Tensor(name="unused", datatype="FP64", shape=(-1, 3)),
)
KEY = ("churn", "1", "champion")


class Sink:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def log_many(self, columns: Any, score: Any = None, **facts: Any) -> None:
        """Take rows."""
        self.told.append({"columns": columns, "score": score, **facts})

    def close(self, timeout: float = 0.0) -> None:
        """End."""


def version() -> Loaded:
    """Return one of numbers, whole numbers, texts and truths, whose events carry a score, a class and a segment."""
    return loaded(
        inputs=INPUTS,
        outputs=OUTPUTS,
        scores=(Score(name="score", output="p", column=1),),
        predicted="label",
        segments=("city",),
    )


def call(asked: Loaded, first: int, rows: int, own: bytes | None = None) -> tuple[Call, dict[str, Any]]:
    """Return a call whose values count from a number, and its outputs."""
    count = np.arange(first, first + rows)
    inputs = {
        "X": np.stack([count, -count], axis=1).astype(np.float32),
        "n": count * 10,
        "city": np.array([[f"city {one}"] for one in count], object),
        "new": count % 2 == 0,
    }
    outputs = {
        "p": np.stack([1 - count / 8, count / 8], axis=1).astype(np.float32),
        "label": count % 3,
        "unused": np.zeros((rows, 3)),
    }
    request = Request(Ask("", inputs), f"id-{first}", own, "k")
    return Call(Deployment("churn"), asked, "champion", request, rows, 1_000 + first), outputs


def test_calls_of_one_row_and_of_many_become_columns() -> None:
    """Each in its order, with the ids of its request, whatever type its columns have; classes as their texts."""
    sink, asked = Sink(), version()
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: pytest.fail("a row was lost"))
    for first, rows in ((0, 1), (1, 3), (4, 1)):
        made, outputs = call(asked, first, rows)
        recorder.record(KEY, made, outputs, 0.002, "ok")
        for array in (*made.request.ask.inputs.values(), *outputs.values()):
            array.flat[:] = array.flat[0]  # what was gathered is a copy
    recorder.flush()
    (told,) = sink.told
    columns = {name: list(values) for name, values in told["columns"].items()}
    assert columns == {
        "a": [0, 1, 2, 3, 4],
        "b": [0, -1, -2, -3, -4],
        "n": [0, 10, 20, 30, 40],
        "city": [f"city {one}" for one in range(5)],
        "new": [True, False, True, False, True],
    }
    assert told["columns"]["a"].dtype == np.float32
    assert told["score"]["score"].tolist() == [one / 8 for one in range(5)]
    assert told["predicted"] == ["0", "1", "2", "0", "1"]
    assert told["segments"] == {"city": columns["city"]}
    assert told["ids"] == ["id-0", "id-1/0", "id-1/1", "id-1/2", "id-4"]
    assert told["at"].tolist() == [1_000, 1_001, 1_001, 1_001, 1_004]
    assert told["latency_ms"].tolist() == [2.0] * 5
    assert told["status"] == ["ok"] * 5


def test_ids_of_the_agent_go_on_as_bytes() -> None:
    """An Emitter takes an array of them without looking at each."""
    sink, asked = Sink(), version()
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: None)
    own = [bytes([number]) * 16 for number in (1, 2)]
    for number, one in enumerate(own):
        made, outputs = call(asked, number, 1, one)
        recorder.record(KEY, made, outputs, 0.0, "ok")
    recorder.flush()
    ids = sink.told[0]["ids"]
    assert (ids.dtype, [one.tobytes() for one in ids]) == (np.uint8, own)


def test_failures_are_told_by_themselves_and_without_scores() -> None:
    """An Emitter takes rows with scores or rows without any."""
    sink, asked = Sink(), version()
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: None)
    made, outputs = call(asked, 0, 1)
    recorder.record(KEY, made, outputs, 0.0, "ok")
    recorder.record(KEY, call(asked, 1, 2)[0], None, 0.0, "timeout")
    recorder.flush()
    by_status = {one["status"][0]: one for one in sink.told}
    assert by_status["timeout"]["score"] is None
    assert "predicted" not in by_status["timeout"]
    assert list(by_status["timeout"]["columns"]["a"]) == [1, 2]
    assert list(by_status["ok"]["columns"]["a"]) == [0]


def test_rows_that_are_errors_among_others_have_no_score_and_no_class() -> None:
    """Infinity would be stored else, and a class counted that is no prediction; scores of whole numbers too."""
    sink = Sink()
    asked = loaded(
        inputs=INPUTS,
        outputs=OUTPUTS,
        scores=(Score(name="score", output="p", column=1), Score(name="whole", output="label", column=0)),
        predicted="label",
    )
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: pytest.fail("a row was lost"))
    made, outputs = call(asked, 0, 3)
    outputs["p"][1] = np.inf
    recorder.record(KEY, made, outputs, 0.0, ["ok", "error", "ok"])
    recorder.flush()
    (told,) = sink.told
    assert np.array_equal(told["score"]["score"], [0.0, np.nan, 0.25], equal_nan=True)
    assert np.array_equal(told["score"]["whole"], [0.0, np.nan, 2.0], equal_nan=True)
    assert told["predicted"] == ["0", None, "2"]


def test_rows_that_cannot_be_gathered_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """With those that waited beside them; what comes after them is told. The log says why, once for each version."""
    kept, lost, asked = Kept(), [], loaded()
    recorder = Recorder(kept.make, lambda name, rows: lost.append((name, rows)))
    sound = Request(Ask("", {"X": np.zeros((1, 3), np.float32)}), "a", None, "k")
    for request in (sound, Request(Ask("", {}), "b", None, "k"), sound):
        made = Call(Deployment("churn"), asked, "champion", request, 1, 0)
        recorder.record(KEY, made, {"p": np.zeros((1, 1), np.float32)}, 0.0, "ok")
    recorder.flush()
    for _ in range(2):
        made = Call(Deployment("churn"), asked, "champion", Request(Ask("", {}), "b", None, "k"), 1, 0)
        recorder.record(KEY, made, {"p": np.zeros((1, 1), np.float32)}, 0.0, "ok")
    assert lost == [("churn", 2), ("churn", 1), ("churn", 1)]
    assert len(caplog.records) == 1
    assert "predictions of churn, version 1, champion become no events" in caplog.text
    assert kept.counts == {("1", "ok"): 1}


def test_many_rows_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by rows, between two flushes too."""
    monkeypatch.setattr(recording, "MOST_ROWS", 4)
    sink, asked = Sink(), version()
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: None)
    for number in range(9):
        made, outputs = call(asked, number, 1)
        recorder.record(KEY, made, outputs, 0.0, "ok")
    assert [len(one["ids"]) for one in sink.told] == [4, 4]


def test_a_model_without_scores_tells_its_features() -> None:
    """What an event carries of the outputs may be nothing."""
    sink = Sink()
    recorder = Recorder(lambda _key, _manifest: sink, lambda _name, _rows: None)
    asked = loaded(scores=())
    request = Request(Ask("", {"X": np.ones((1, 3), np.float32)}), "a", None, "k")
    made = Call(Deployment("churn"), asked, "champion", request, 1, 0)
    recorder.record(KEY, made, {"p": np.zeros((1, 1), np.float32)}, 0.0, "ok")
    recorder.flush()
    assert sink.told[0]["score"] is None
    assert sorted(sink.told[0]["columns"]) == sorted(manifest().inputs[0].columns)
