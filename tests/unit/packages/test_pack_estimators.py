"""Packing estimators: as ONNX where that answers as they do, else as they are, asked as they learnt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from packaged import COLUMNS, KEYS, about, order
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC
from skops import io as skops_io

from driftline.agents.serving.package import golden
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.manifest import Manifest, Score
from driftline.agents.serving.package.pack import Packed, pack_estimator, pack_file
from driftline.agents.serving.package.replacement import misfits
from driftline.agents.serving.package.verify import verify
from driftline.schemas.scalars import text_of

RNG = np.random.default_rng(5)
TABLE = {**{name: RNG.normal(size=400) for name in COLUMNS}, "town": RNG.integers(0, 6, 400).astype(float)}
MATRIX = np.stack(list(TABLE.values()), axis=1)
TRUTH = (MATRIX[:, 0] + 2 * (MATRIX[:, 3] == 2) + RNG.normal(size=400) > 0.5).astype(int)
FOUR = about(columns=tuple(TABLE))


def answers(made: Packed, trusted: Any = ()) -> dict[str, Any]:
    """Return what a package answers to its first rows, loaded anew."""
    signed = verify(made.folder, KEYS)
    model = load(made.folder, signed.manifest, trusted=trusted)
    (tensor,) = signed.manifest.inputs
    return model.predict({tensor.name: MATRIX[:8]})


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_iter=8),
    ],
    ids=["pipeline", "boosting"],
)
def test_an_estimator_becomes_onnx(tmp_path: Path, estimator: Any) -> None:
    """An estimator that ONNX can say is converted, and answers as before, NaN among the inputs or not."""
    estimator.fit(MATRIX, TRUTH)
    rows = {"X": MATRIX}
    if isinstance(estimator, HistGradientBoostingClassifier):
        rows = {"X": np.where(RNG.random(MATRIX.shape) < 0.05, np.nan, MATRIX)}
    made = pack_estimator(estimator, order(tmp_path / "package", rows=rows, about=FOUR))
    manifest = made.signed.manifest
    assert (manifest.format, made.kept_because) == ("onnx", "")
    assert manifest.columns == tuple(TABLE)
    assert manifest.classes == ("0", "1")
    assert manifest.predicted == "label"
    assert manifest.scores == (Score(name="score", output="probabilities", column=1),)
    found = answers(made)
    assert np.allclose(found["probabilities"], estimator.predict_proba(MATRIX[:8]), atol=1e-5)
    assert found["label"].tolist() == estimator.predict(MATRIX[:8]).tolist()


def test_a_conversion_in_32_bits_can_take_the_place_of_one_in_64(tmp_path: Path) -> None:
    """A boosting that ONNX says in 32 bits alone is asked as a regression in 64 is, and has its answers' types."""
    asked = {"rows": {"X": MATRIX}, "about": FOUR}
    wide = pack_estimator(LogisticRegression().fit(MATRIX, TRUTH), order(tmp_path / "wide", **asked))
    boosting = HistGradientBoostingClassifier(max_iter=8).fit(MATRIX, TRUTH)
    narrow = pack_estimator(boosting, order(tmp_path / "narrow", **asked))
    assert narrow.signed.manifest.format == "onnx"
    assert misfits(wide.signed.manifest, narrow.signed.manifest) == []
    assert misfits(narrow.signed.manifest, wide.signed.manifest) == []


def test_an_estimator_that_onnx_would_change_stays_one(tmp_path: Path) -> None:
    """What skl2onnx converts to something that answers otherwise is kept as skops, with the reason."""
    model = HistGradientBoostingClassifier(max_iter=8, categorical_features=[False, False, False, True])
    model.fit(MATRIX, TRUTH)
    made = pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=FOUR))
    assert made.signed.manifest.format == "skops"
    assert re.match(r"as ONNX its answer 'label' differs in row \d+: [01] where [01] is", made.kept_because)
    trusted = skops_io.get_untrusted_types(file=made.folder / "model.skops")
    assert np.allclose(answers(made, trusted)["probabilities"], model.predict_proba(MATRIX[:8]))


def test_a_skops_file_becomes_onnx_or_stays(tmp_path: Path) -> None:
    """A skops file is converted where it can be, unless it is asked to stay as it is."""
    skops_io.dump(LogisticRegression().fit(MATRIX, TRUTH), tmp_path / "m.skops")
    asked = {"rows": TABLE, "about": FOUR}
    made = pack_file(tmp_path / "m.skops", order(tmp_path / "one", **asked))
    assert made.signed.manifest.format == "onnx"
    kept = pack_file(tmp_path / "m.skops", order(tmp_path / "two", **asked), convert=False)
    assert kept.signed.manifest.format == "skops"
    assert kept.kept_because == "it was asked to stay as it is"
    assert np.allclose(answers(made)["probabilities"], answers(kept)["probabilities"])


def test_types_are_trusted_by_who_packs(tmp_path: Path) -> None:
    """A skops file that holds a type which nobody trusts is refused with the type's name."""
    skops_io.dump(HistGradientBoostingClassifier(max_iter=2).fit(MATRIX, TRUTH), tmp_path / "m.skops")
    with pytest.raises(PackageError, match=r"needs types .*TreePredictor; .* name them with --trust"):
        pack_file(tmp_path / "m.skops", order(tmp_path / "package", rows=TABLE))
    assert not (tmp_path / "package").exists()


def test_texts_are_columns_of_their_own(tmp_path: Path) -> None:
    """An estimator that takes texts is asked with a tensor a column, and becomes ONNX where its parts can."""
    towns = np.array(["Ede", "Ghent", "Oslo"], object)[MATRIX[:, 3].astype(int) % 3]
    frame = np.column_stack([MATRIX[:, :1].astype(object), towns])
    model = make_pipeline(
        ColumnTransformer([("t", OrdinalEncoder(), [1])], remainder="passthrough"), LogisticRegression()
    )
    model.fit(frame, TRUTH)
    rows = {"age": MATRIX[:, 0], "town": towns}
    made = pack_estimator(
        model, order(tmp_path / "package", rows=rows, about=about(columns=(), segments=("town",)))
    )
    manifest = made.signed.manifest
    assert [tensor.name for tensor in manifest.inputs] == ["age", "town"]
    assert manifest.inputs[1].datatype == "BYTES"
    asked = questions(made)
    found = load(made.folder, manifest).predict(asked)
    expected = model.predict_proba(np.column_stack([asked["age"].astype(object), asked["town"]]))
    assert np.allclose(found["probabilities"], expected, atol=1e-5)
    assert manifest.segments == ("town",)


def questions(made: Packed) -> dict[str, Any]:
    """Return the golden questions of a package."""
    manifest = made.signed.manifest
    return golden.read((made.folder / "golden.json").read_bytes(), manifest.inputs, manifest.outputs).inputs


@pytest.mark.parametrize(
    ("truth", "convert", "classes"),
    [
        (TRUTH.astype(bool), True, ("0", "1")),
        (TRUTH.astype(bool), False, ("0", "1")),
        (TRUTH.astype(float), True, ("0", "1")),
        (TRUTH.astype(float), False, ("0", "1")),
        (TRUTH * 3 - 1, True, ("-1", "2")),
        (np.array(["no", "yes"])[TRUTH], True, ("no", "yes")),
        (np.array(["no", "yes"])[TRUTH], False, ("no", "yes")),
    ],
)
def test_classes_are_named_as_answers_are(tmp_path: Path, truth: Any, *, convert: bool, classes: Any) -> None:
    """The classes of a package are the texts that events make of what its model answers."""
    model = LogisticRegression().fit(MATRIX, truth)
    made = pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=FOUR), convert=convert)
    assert made.signed.manifest.classes == classes
    assert {text_of(label) for label in answers(made)["label"].tolist()} <= set(classes)


def follow_each_other(folder: Path, model: Any) -> tuple[Manifest, Manifest]:
    """Pack an estimator in both formats, hold that either follows the other, and return the manifests."""
    one, two = (
        pack_estimator(
            model, order(folder / str(convert), rows=TABLE, about=FOUR), convert=convert
        ).signed.manifest
        for convert in (True, False)
    )
    assert {one.format, two.format} == {"onnx", "skops"}
    assert misfits(one, two) == misfits(two, one) == []
    return one, two


@pytest.mark.parametrize("kind", [bool, float])
def test_what_stays_an_estimator_takes_the_place_of_what_became_onnx(tmp_path: Path, kind: type) -> None:
    """Truth values and whole floats are classes of one kind in both formats, and either version follows the other."""
    follow_each_other(tmp_path, LogisticRegression().fit(MATRIX, TRUTH.astype(kind)))


@pytest.mark.parametrize("axes", [1, 2])
def test_a_regressor_follows_one_in_the_other_format(tmp_path: Path, axes: int) -> None:
    """Its number is a column of one in both, learnt from a vector or from a column."""
    target = MATRIX[:, 0] if axes == 1 else MATRIX[:, :1]
    one, two = follow_each_other(tmp_path, Ridge().fit(MATRIX, target))
    assert one.scores == two.scores == (Score(name="score", output="variable"),)


@pytest.mark.parametrize(("name", "said"), [("a" * 250, "it has 250 characters"), ("b\nc", "does not print")])
def test_a_column_that_no_event_can_carry_is_named(tmp_path: Path, name: str, said: str) -> None:
    """The sentence names the column and what is wrong with its name; nothing is left of the package."""
    frame = pd.DataFrame({name: MATRIX[:, 0], "d": MATRIX[:, 1]})
    model = LogisticRegression().fit(frame, TRUTH)
    with pytest.raises(PackageError, match=rf"the model's column '{name[:1]}.*{said}"):
        pack_estimator(model, order(tmp_path / "package", rows={one: frame[one].to_numpy() for one in frame}))
    assert not (tmp_path / "package").exists()


@pytest.mark.parametrize(("name", "said"), [("", "it is empty"), ("yes\n", "does not print")])
def test_a_class_that_no_event_can_carry_is_named(tmp_path: Path, name: str, said: str) -> None:
    """The same of a class, which events carry as what the model predicted."""
    model = LogisticRegression().fit(MATRIX, np.array(["no", name])[TRUTH])
    with pytest.raises(
        PackageError, match=rf"the model's class '{name[:3]}.*cannot be one of events: .*{said}"
    ):
        pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=FOUR))
    assert not (tmp_path / "package").exists()
    named = about(columns=tuple(TABLE), classes=("no", "yes"))
    made = pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=named))
    assert made.signed.manifest.classes == ("no", "yes")


def test_several_classes_have_a_score_each(tmp_path: Path) -> None:
    """Three classes have three scores, named as they are and in their order."""
    model = GaussianNB().fit(MATRIX, np.array(["a", "b", "c"])[np.digitize(MATRIX[:, 0], [-0.5, 0.5])])
    made = pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=FOUR))
    assert [(score.name, score.column) for score in made.signed.manifest.scores] == [
        ("a", 0),
        ("b", 1),
        ("c", 2),
    ]


@pytest.mark.parametrize("convert", [True, False])
@pytest.mark.parametrize("kind", [RandomForestClassifier, Ridge])
def test_one_target_at_a_time(tmp_path: Path, kind: Any, *, convert: bool) -> None:
    """An estimator of several targets is refused, of classes as of numbers."""
    model = kind().fit(MATRIX, np.stack([TRUTH, TRUTH], axis=1))
    with pytest.raises(PackageError, match="predicts several targets at once"):
        pack_estimator(model, order(tmp_path / "package", rows=TABLE, about=FOUR), convert=convert)


def test_numbers_and_classes_without_probabilities(tmp_path: Path) -> None:
    """A regressor answers one number, which is its score; a classifier without probabilities its class alone."""
    forest = RandomForestRegressor(5, n_jobs=2).fit(MATRIX, MATRIX[:, 0])
    made = pack_estimator(forest, order(tmp_path / "one", rows=TABLE, about=FOUR), convert=False)
    assert made.signed.manifest.scores == (Score(name="score", output="variable"),)
    found = answers(made, ["sklearn.tree._tree.Tree"])["variable"]
    assert np.allclose(found, forest.predict(MATRIX[:8])[:, None])
    support = LinearSVC().fit(MATRIX, TRUTH)
    made = pack_estimator(support, order(tmp_path / "two", rows=TABLE, about=FOUR), convert=False)
    assert (made.signed.manifest.predicted, made.signed.manifest.scores) == ("label", ())


def test_an_estimator_that_picks_columns_by_name_gets_a_frame(tmp_path: Path) -> None:
    """An estimator that learnt from a data frame and picks columns by name is asked with one, and answers alike."""
    frame = pd.DataFrame(TABLE)
    picks = ColumnTransformer([("scaled", StandardScaler(), ["age", "town"])])
    model = make_pipeline(picks, LogisticRegression()).fit(frame, TRUTH)
    made = pack_estimator(
        model, order(tmp_path / "package", rows=TABLE, about=about(columns=())), convert=False
    )
    assert made.signed.manifest.as_frame
    assert np.allclose(answers(made)["probabilities"], model.predict_proba(frame[:8]))


def test_an_estimator_that_learnt_from_a_frame_gets_a_matrix(tmp_path: Path) -> None:
    """An estimator that learnt from a data frame and does not pick by name is asked with a matrix."""
    model = LogisticRegression().fit(pd.DataFrame(TABLE), TRUTH)
    asked = order(tmp_path / "package", rows=dict(reversed(TABLE.items())), about=about(columns=()))
    made = pack_estimator(model, asked, convert=False)
    assert not made.signed.manifest.as_frame
    assert made.signed.manifest.columns == tuple(TABLE)
    assert np.allclose(answers(made)["probabilities"], model.predict_proba(pd.DataFrame(TABLE)[:8]))
