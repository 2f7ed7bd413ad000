"""Trials: a package loads, warms and answers in a child, and each way to break is told in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from architectures import install, weights
from onnx import TensorProto, helper, numpy_helper
from packaged import by_hand, linear, packed, saved, signed_again
from sklearn.ensemble import HistGradientBoostingClassifier
from skops import io as skops_io

from driftline.agents.serving.package import trial as trials
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.manifest import Manifest
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.package.trial import Bounds, Trial, TrialError, trial

SOON = Bounds(timeout_s=1.5)
SMALL = Bounds(memory_bytes=256 << 20)
ROW = GoldenRows({"X": np.zeros((1, 3), np.float32)}, {"p": np.full((1, 1), 0.5, np.float32)})


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the architectures of the tests."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    return tmp_path


def breaks(folder: Path, architecture: str, bounds: Bounds = Bounds(), **config: Any) -> Trial:  # noqa: B008
    """Return the trial of weights whose architecture breaks."""
    made = weights(folder, architecture)
    manifest = signed_again(made.folder, config=config)
    return trial(made.folder, manifest, bounds=bounds)


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    """Signals for real time, which Python has no names for, end a trial in words like others."""
    assert trials.crashed(-40, "while it loaded", "") == "it crashed with signal 40 while it loaded"


def test_a_sound_package_passes(tmp_path: Path) -> None:
    """A sound package passes, and says how long each stage and how much memory it took."""
    made = packed(tmp_path)
    went = trial(made.folder, made.signed.manifest, bounds=SMALL)
    assert (went.outcome, went.why) == ("passed", "")
    assert set(went.seconds) == {"load", "warm-up", "golden rows"}
    assert 0 < went.memory_bytes < 256 << 20
    assert went.total_s > sum(went.seconds.values())
    went.require()


def test_weights_pass_in_their_architecture(installed: Path) -> None:
    """A safetensors package is built by the entry point that its manifest names, with the manifest's config."""
    made = weights(installed, "dense", scale=3.0)
    assert trial(made.folder, made.signed.manifest).outcome == "passed"


def test_answers_that_differ_are_told(tmp_path: Path) -> None:
    """A model that answers otherwise than it was signed to is told with output, row, distance and what is allowed."""
    made = packed(tmp_path)
    (made.folder / "model.onnx").write_bytes(linear(tmp_path / "other.onnx", bias=0.01).read_bytes())
    went = trial(made.folder, signed_again(made.folder))
    assert went.outcome == "differs"
    assert went.why.startswith("churn 3 did not pass its trial: its answer 'p' differs in row ")
    assert "is expected, off by 0.00249, and 6.29e-05 is allowed" in went.why
    with pytest.raises(TrialError, match="did not pass its trial"):
        went.require()


def test_another_schema_is_told(tmp_path: Path) -> None:
    """A manifest whose tensors are not the model's is refused, with both."""
    wide = GoldenRows({"X": np.zeros((1, 3))}, {"p": np.zeros((1, 1))})
    model = linear(tmp_path / "m.onnx").read_bytes()
    manifest = by_hand(tmp_path / "types", {"model.onnx": model}, rows=wide)
    went = trial(tmp_path / "types", manifest)
    assert went.outcome == "failed"
    assert "the input 'X' is FP64 [-1, 3] in the manifest, and FP32 [-1, 3] in the model" in went.why
    other = GoldenRows({"Y": np.zeros((1, 3), np.float32)}, {"p": np.zeros((1, 1), np.float32)})
    manifest = by_hand(tmp_path / "names", {"model.onnx": model}, rows=other)
    assert "has the input 'Y', and the model has none of that name" in trial(tmp_path / "names", manifest).why
    more = GoldenRows(ROW.inputs, {})
    manifest = by_hand(tmp_path / "fewer", {"model.onnx": model}, rows=more, outputs=())
    assert "outputs" in trial(tmp_path / "fewer", manifest).why


def test_a_model_that_does_not_load_is_told(tmp_path: Path) -> None:
    """A model of an operator that nobody knows fails with onnxruntime's own words."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["r", 3]) for name in "Xp"]
    graph = helper.make_graph([helper.make_node("Unheard", ["X"], ["p"])], "g", info[:1], info[1:])
    rows = GoldenRows(ROW.inputs, {"p": np.zeros((1, 3), np.float32)})
    manifest = by_hand(tmp_path / "p", {"m.onnx": saved(tmp_path / "m.onnx", graph).read_bytes()}, rows=rows)
    went = trial(tmp_path / "p", manifest)
    assert (went.outcome, "onnxruntime does not load m.onnx" in went.why) == ("failed", True)
    assert "Unheard" in went.why


def test_unlisted_data_are_out_of_reach(tmp_path: Path) -> None:
    """A model whose data lie outside of its package does not load, though they are there."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    made = packed(tmp_path, model=model)
    (made.folder / "w.bin").unlink()
    manifest = signed_again(made.folder, listed=["golden.json", "model.onnx"])
    assert (tmp_path / "w.bin").exists()
    assert trial(made.folder, manifest).outcome == "failed"


def test_too_much_memory_is_told(tmp_path: Path) -> None:
    """An ONNX model that needs 4 GiB to answer is stopped at 256 MiB, in the child and in words."""
    length = numpy_helper.from_array(np.array([1 << 30], np.int64), "n")
    graph = helper.make_graph(
        [
            helper.make_node(
                "ConstantOfShape", ["n"], ["big"], value=numpy_helper.from_array(np.ones(1, np.float32))
            ),
            helper.make_node("ReduceSum", ["big"], ["s"], keepdims=0),
            helper.make_node("ReduceSum", ["X", "axes"], ["t"], keepdims=1),
            helper.make_node("Add", ["t", "s"], ["p"]),
        ],
        "big",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["r", 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["r", 1])],
        [length, numpy_helper.from_array(np.array([1], np.int64), "axes")],
    )
    manifest = by_hand(tmp_path / "p", {"m.onnx": saved(tmp_path / "m.onnx", graph).read_bytes()}, rows=ROW)
    went = trial(tmp_path / "p", manifest, bounds=SMALL)
    assert went.outcome == "out_of_memory", went
    assert "ran out of memory while it" in went.why
    assert "256 MiB do not do" in went.why


def test_a_model_without_end_is_stopped(tmp_path: Path) -> None:
    """An ONNX model that loops for ever is stopped after the time that it may take, in its warm-up."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["r", 3]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["r", 3]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "", "X"], ["p"], body=body)],
        "slow",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["r", 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["r", 3])],
        [numpy_helper.from_array(np.array(1 << 60, np.int64), "n")],
    )
    rows = GoldenRows(ROW.inputs, {"p": np.zeros((1, 3), np.float32)})
    manifest = by_hand(tmp_path / "p", {"m.onnx": saved(tmp_path / "m.onnx", graph).read_bytes()}, rows=rows)
    went = trial(tmp_path / "p", manifest, bounds=SOON)
    assert went.outcome == "too_slow"
    assert "it was stopped while it warmed up, for it took longer than 1.5 s" in went.why


@pytest.mark.parametrize(
    ("architecture", "at", "outcome", "told"),
    [
        ("segfault", "load", "crashed", "it crashed with SIGSEGV while it loaded"),
        ("segfault", "call", "crashed", "it crashed with SIGSEGV while it warmed up"),
        ("killed", "call", "crashed", "it crashed with SIGKILL while it warmed up, as the system does"),
        ("leaving", "load", "crashed", "it ended with exit code 3 while it loaded and gave no answer"),
        ("raising", "call", "failed", "while it warmed up it said: IndexError: list index out of range"),
        ("raising", "load", "failed", "the architecture 'raising' does not take model.safetensors"),
    ],
)
def test_a_crash_is_told(installed: Path, architecture: str, at: str, outcome: str, told: str) -> None:
    """A child that dies, leaves or raises is told with its signal, its exit code or its words, and the stage."""
    went = breaks(installed, architecture, at=at)
    assert went.outcome == outcome
    assert told in went.why


def test_a_crash_at_the_golden_rows_is_told(installed: Path) -> None:
    """A model that breaks after its warm-up is told apart."""
    went = breaks(installed, "segfault", at="call", call=4)
    assert "it crashed with SIGSEGV while it answered the golden rows" in went.why
    assert set(went.seconds) == {"load", "warm-up"}


def test_python_that_is_hungry_is_stopped(installed: Path) -> None:
    """An architecture that takes 1 GiB is out of memory at 256 MiB, and passes with 2 GiB."""
    assert breaks(installed / "a", "hungry", SMALL, at="load", bytes=1 << 30).outcome == "out_of_memory"
    enough = breaks(installed / "b", "hungry", Bounds(memory_bytes=2 << 30), at="load", bytes=1 << 30)
    assert enough.outcome == "passed"
    assert enough.memory_bytes > 1 << 30


def test_a_load_without_end_is_stopped(installed: Path) -> None:
    """A load that takes too long is stopped at once when the time is over."""
    went = breaks(installed, "sleeping", SOON, at="load")
    assert went.outcome == "too_slow"
    assert "while it loaded" in went.why
    assert went.total_s < 20


def test_the_child_has_nothing_of_ours(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has an empty environment, no folder of ours, nothing on stdin, and what it prints is lost."""
    monkeypatch.setenv("DRIFTLINE_KAFKA_SASL_PASSWORD", "secret")
    went = breaks(installed, "tidy", at="load")
    assert (went.outcome, went.why) == ("passed", "")


def test_the_child_writes_next_to_nothing(installed: Path) -> None:
    """A model that writes files is cut off at 1 MiB."""
    went = breaks(installed, "scribbling", at="load", path=str(installed / "out"))
    assert went.outcome == "failed"
    assert (installed / "out").stat().st_size <= 1 << 20


def test_types_are_trusted_by_policy_alone(tmp_path: Path) -> None:
    """A skops package passes with the types that policy trusts, and fails with their names without."""
    rng = np.random.default_rng(1)
    model = HistGradientBoostingClassifier(max_iter=2).fit(rng.normal(size=(50, 3)), np.arange(50) % 2)
    skops_io.dump(model, tmp_path / "m.skops")
    trusted = skops_io.get_untrusted_types(file=tmp_path / "m.skops")
    row = rng.normal(size=(1, 3))
    rows = GoldenRows(
        {"input": row}, {"label": model.predict(row), "probabilities": model.predict_proba(row)}
    )
    data = (tmp_path / "m.skops").read_bytes()
    manifest = by_hand(tmp_path / "p", {"m.skops": data}, rows=rows, format="skops", inputs=(
        Tensor(name="input", datatype="FP64", shape=(-1, 3), columns=("a", "b", "c")),
    ))  # fmt: skip
    assert trial(tmp_path / "p", manifest, trusted=trusted).outcome == "passed"
    went = trial(tmp_path / "p", manifest)
    assert went.outcome == "failed"
    assert "needs types that nobody said to trust: " in went.why
    assert trusted[0] in went.why


def test_a_package_that_changed_is_told(tmp_path: Path) -> None:
    """A package whose golden rows went away under the trial's hands fails in words."""
    made = packed(tmp_path)
    (made.folder / "golden.json").unlink()
    went = trial(made.folder, made.signed.manifest)
    assert (went.outcome, "before it loaded it said: 'golden.json' is lacking" in went.why) == (
        "failed",
        True,
    )
    assert Manifest.from_bytes(msgspec.json.encode(made.signed.manifest)) == made.signed.manifest
