"""Events as a challenger answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from challenged import ROWS, Texts, Told, events, statuses
from packaged import KEYS, linear, packed

from driftline.agents.challenger.admitted import admitted
from driftline.agents.challenger.scoring import Scorer, scored, sealed
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.manifest import Manifest
from driftline.agents.serving.package.model import LoadedModel
from driftline.schemas.columns import pack_predictions, read_predictions
from driftline.schemas.settings_packages import Packages
from driftline.schemas.shapes import Category, Gap, Identity, NumericBlock


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Manifest, LoadedModel]]:
    """The linear model, verified, copied and tried."""
    folder = tmp_path_factory.mktemp("challenger")
    made = packed(folder / "made", model=linear(folder / "m.onnx"))
    packages = Packages(cache_dir=str(folder / "cache"))
    with admitted(
        made.folder if hasattr(made, "folder") else folder / "made" / "package", KEYS, packages
    ) as both:
        yield both


def test_a_package_is_admitted_only_when_somebody_signed_it_who_may(tmp_path: Path) -> None:
    """Nothing of it is loaded before that."""
    packed(tmp_path / "made")
    with (
        pytest.raises(PackageError, match="signed by"),
        admitted(
            tmp_path / "made" / "package", {"ab" * 32: bytes(32)}, Packages(cache_dir=str(tmp_path / "c"))
        ),
    ):
        pass


def test_each_event_is_answered_once_under_its_own_id(held: tuple[Manifest, LoadedModel]) -> None:
    """Ids, times and features stay; version, slot, scores and status are the challenger's; columns go by name."""
    answered = Scorer(*held, iter(range(100)).__next__).answer(events())
    again = read_predictions(pack_predictions(answered))
    assert (again.model_version, again.slot, again.rows) == ("3", "challenger", ROWS)
    assert np.array_equal(again.ids, events().ids)
    assert again.original_ids == ["a", "b", None, "d"]
    age, income, visits = np.arange(ROWS, dtype=np.float32), np.ones(ROWS), np.ones(ROWS)
    expected = 1 / (1 + np.exp(-(0.5 * age - income + 2 * visits)))
    assert again.scores[0].values[0] == pytest.approx(expected, rel=1e-5)
    assert again.status is not None
    assert [again.status.levels[code] for code in again.status.codes] == ["ok"] * ROWS
    assert again.latency_ms is not None
    assert again.latency_ms.tolist() == [1000 / ROWS] * ROWS


def test_the_seal_comes_of_the_batch_that_was_scored(held: tuple[Manifest, LoadedModel]) -> None:
    """Scoring a batch again gives the seal it had; another version or instance has another."""
    first, second = (Scorer(*held, iter(range(100)).__next__).answer(events()).identity for _ in range(2))
    assert first == second == sealed(Identity("here", 7, 5), "3")
    assert first is not None
    assert (first.epoch, first.seq) == (7, 5)
    assert first != sealed(Identity("here", 7, 5), "4")
    assert first != sealed(Identity("there", 7, 5), "3")
    assert sealed(None, "3") is None


def test_only_what_callers_were_answered_is_scored() -> None:
    """Not shadows, not other challengers, not other deployments, and nothing that this version has answered."""
    assert scored(events(), "churn", "3") is not None
    assert scored(events(slot="canary"), "churn", "3") is not None
    assert scored(events(slot="shadow"), "churn", "3") is None
    assert scored(events(slot="challenger"), "churn", "3") is None
    assert scored(events(model_version="3"), "churn", "3") is None
    assert scored(events(), "fraud", "3") is None


def test_what_a_canary_failed_to_answer_is_the_champions_event() -> None:
    """The champion answered it in the same request, under the same id: it is one event."""
    status = Category("status", ("ok", "timeout"), np.array([0, 1, 0, -1], np.int32))
    gaps = [Gap("other", np.array([False, True, False, False]), None)]
    features = [NumericBlock(("other",), np.array([[1, np.nan, 3, 4]]))]
    kept = scored(events(slot="canary", status=status, gaps=gaps, features=features), "churn", "3")
    assert kept is not None
    assert (kept.rows, kept.original_ids) == (3, ["a", None, "d"])
    assert kept.features[0].values.tolist() == [[1, 3, 4]]
    pack_predictions(kept)
    assert scored(events(status=status), "churn", "3").rows == ROWS  # type: ignore[union-attr]
    nothing = Category("status", ("error",), np.zeros(ROWS, np.int32))
    assert scored(events(slot="canary", status=nothing), "churn", "3") is None


def test_events_without_a_column_are_errors_and_it_goes_on(held: tuple[Manifest, LoadedModel]) -> None:
    """One stray batch stops nothing: its rows are errors, the column is named once, and the next is answered."""
    said: list[str] = []
    scorer = Scorer(*held, iter(range(100)).__next__, said.append)
    for _ in range(2):
        answered = scorer.answer(events(features=[NumericBlock(("age",), np.ones((1, ROWS)))]))
        assert statuses(answered) == ["error"] * ROWS
    assert len(said) == 1
    assert "have no column 'income', which churn 3 is asked with; they have age: they are errors" in said[0]
    assert statuses(scorer.answer(events())) == ["ok"] * ROWS


class Other:
    """The linear model, whose answer is changed before it is given."""

    def __init__(self, model: LoadedModel, change: Callable[[Any], Any]) -> None:
        self.inputs, self.outputs, self._model, self._change = model.inputs, model.outputs, model, change

    def predict(self, inputs: Any) -> Any:
        """Answer otherwise."""
        return self._change(self._model.predict(inputs))

    def close(self) -> None:
        """Nothing is held."""


def half(outputs: Any) -> Any:
    """NaN in every second row."""
    for array in outputs.values():
        array[::2] = np.nan
    return outputs


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda outputs: {name: array[:-1] for name, array in outputs.items()}, ["error"] * ROWS),
        (lambda _outputs: {}, ["error"] * ROWS),
        (
            lambda outputs: {name: array.astype(np.float64) for name, array in outputs.items()},
            ["error"] * ROWS,
        ),
        (half, ["error", "ok"] * (ROWS // 2)),
        (lambda outputs: {name: array * np.nan for name, array in outputs.items()}, ["error"] * ROWS),
        (lambda outputs: {name: array + np.inf for name, array in outputs.items()}, ["error"] * ROWS),
    ],
)
def test_what_a_model_answers_that_is_no_answer_is_an_error(
    held: tuple[Manifest, LoadedModel], change: Callable[[Any], Any], wanted: list[str]
) -> None:
    """Fewer rows, no output, another type, NaN: the rows have no score and say so, and the batch can be written."""
    manifest, model = held
    answered = Scorer(manifest, Other(model, change), lambda: 0.0).answer(events())
    assert statuses(answered) == wanted
    again = read_predictions(pack_predictions(answered))
    scores = again.scores[0].values[0] if again.scores else np.full(ROWS, np.nan)
    assert np.isfinite(scores).tolist() == [one == "ok" for one in wanted]


MIXED = {
    "features": [NumericBlock(("n",), np.array([[1, 2, np.nan, 4]]))],
    "categories": [Category("country", ("fr", "de"), np.array([0, -1, 0, 1], np.int32))],
    "scores": [],
    "gaps": [],
}


def test_a_batch_in_which_no_row_can_be_answered_is_errors(held: tuple[Manifest, LoadedModel]) -> None:
    """One row without a value, or a column that is null throughout: all of it is told, and the next is answered."""
    scorer = Scorer(*held, lambda: 0.0)
    for rows in (1, ROWS):
        given = events()
        given.features[0].values[0] = np.nan
        kept = np.arange(ROWS) < rows
        status = Category("status", ("ok", "timeout"), (~kept).astype(np.int32))
        cols = scored(events(slot="canary", status=status, features=given.features), "churn", "3")
        assert cols is not None
        answered = scorer.answer(cols)
        assert statuses(answered) == ["error"] * rows
        assert read_predictions(pack_predictions(answered)).rows == rows
    assert statuses(scorer.answer(events())) == ["ok"] * ROWS


@pytest.mark.parametrize("odd", [2.5, 1e300, -1e19, 2.0**63, np.nan, np.inf])
def test_a_number_that_a_whole_column_cannot_take_costs_its_row_alone(odd: float) -> None:
    """Half a number, or one past the bounds of the tensor: the others are answered."""
    values = {**MIXED, "features": [NumericBlock(("n",), np.array([[1, odd, -(2.0**63), 4]]))]}
    values["categories"] = [Category("country", ("fr", "de"), np.array([0, 0, 0, 1], np.int32))]
    answered = Scorer(Told(), Texts(), lambda: 0.0).answer(events(**values))  # type: ignore[arg-type]
    assert statuses(answered) == ["ok", "error", "ok", "ok"]


def test_rows_that_lack_a_value_are_errors_of_their_own() -> None:
    """A text that is null, or a whole number that is, costs its row the answer and no other."""
    answered = Scorer(Told(), Texts(), iter(range(100)).__next__).answer(events(**MIXED))  # type: ignore[arg-type]
    assert answered.status is not None
    assert answered.predicted is not None
    assert answered.status.codes.tolist() == [0, 1, 1, 0]
    assert [(answered.predicted.levels[code] if code >= 0 else None) for code in answered.predicted.codes] == [
        "1", None, None, "0",
    ]  # fmt: skip
    pack_predictions(answered)


def test_a_model_that_raises_leaves_errors_and_no_hole() -> None:
    """There are as many events of the challenger as of the champion."""
    model = Texts(fails=True)
    answered = Scorer(Told(), model, iter(range(100)).__next__).answer(events(**MIXED))  # type: ignore[arg-type]
    assert answered.status is not None
    assert (answered.status.codes.tolist(), answered.predicted, answered.scores) == ([1] * ROWS, None, [])
    assert read_predictions(pack_predictions(answered)).rows == ROWS
