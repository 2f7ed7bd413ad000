"""scikit-learn estimators from skops files, built from types that policy trusts, never from what a package asks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from skops import io as skops_io

from driftline.agents.serving.package.errors import LoadError, said
from driftline.agents.serving.package.tensors import DTYPES, FLOATS, Datatype, Tensor, datatype_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

LABEL: Final = "label"
PROBABILITIES: Final = "probabilities"
NUMBER: Final = "variable"
"""Outputs are called as skl2onnx calls them, so that an estimator has one face in both formats."""

_SHOWN: Final = 5
_SEVERAL: Final = "the estimator predicts several targets at once, and a package has one"
# Their class is the one of the greatest probability, always: asked once instead of twice.
_BY_PROBABILITY: Final = frozenset((
    "DecisionTreeClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier", "GaussianNB",
    "GradientBoostingClassifier", "HistGradientBoostingClassifier", "KNeighborsClassifier", "LogisticRegression",
    "MLPClassifier", "RandomForestClassifier",
))  # fmt: skip


class SkopsModel:
    """A fitted estimator, asked with one matrix made of its input columns."""

    def __init__(self, estimator: Any, inputs: Sequence[Tensor], *, as_frame: bool = False) -> None:  # noqa: ANN401
        """Wrap an estimator.

        Args:
            estimator: fitted; anything that has scikit-learn's `predict`, and `predict_proba` where it classifies.
            inputs: the tensors that it is asked with: one matrix, or one value a row each.
            as_frame: whether it is asked with a data frame, whose columns have the inputs' names.

        Raises:
            LoadError: it does not predict, or learnt from other columns.
        """
        if not hasattr(estimator, "predict"):
            raise LoadError(f"a {type(estimator).__name__} does not predict: pack a fitted estimator")
        self.inputs = tuple(inputs)
        self._columns = [name for tensor in self.inputs for name in tensor.names]
        self._as_frame = as_frame
        _same_columns(estimator, self._columns)
        if not as_frame and hasattr(estimator, "feature_names_in_"):
            # Its columns have been held against their names above; scikit-learn would warn at every call.
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        self._estimator = estimator
        self.outputs = outputs_of(estimator)

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer rows; raises what the estimator raises."""
        rows = self._rows(inputs)
        if self.outputs[0].name == NUMBER:
            numbers = self._typed(self._estimator.predict(rows), 0)
            if numbers.size != len(numbers):
                raise LoadError(_SEVERAL)
            return {NUMBER: numbers.reshape(-1, 1)}
        if len(self.outputs) == 1:
            return {LABEL: self._typed(self._estimator.predict(rows), 0)}
        probabilities = self._typed(self._estimator.predict_proba(rows), 1)
        if type(_last(self._estimator)).__name__ in _BY_PROBABILITY:
            label = np.asarray(self._estimator.classes_)[np.argmax(probabilities, axis=1)]
        else:
            label = self._estimator.predict(rows)
        return {LABEL: self._typed(label, 0), PROBABILITIES: probabilities}

    def close(self) -> None:
        """Let go of the estimator."""
        del self._estimator

    def _rows(self, inputs: Mapping[str, NDArray[Any]]) -> Any:  # noqa: ANN401 - a matrix or a frame
        parts = [inputs[tensor.name].reshape(len(inputs[tensor.name]), -1) for tensor in self.inputs]
        if self._as_frame:
            import pandas as pd  # noqa: PLC0415 - only estimators that pick columns by name need it

            columns = (part[:, column] for part in parts for column in range(part.shape[1]))
            return pd.DataFrame(dict(zip(self._columns, columns, strict=True)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1, dtype=_common(parts))

    def _typed(self, answer: Any, output: int) -> NDArray[Any]:  # noqa: ANN401 - an estimator answers what it likes
        made: NDArray[Any] = np.asarray(answer).astype(DTYPES[self.outputs[output].datatype], copy=False)
        values = made.ravel().tolist() if made.dtype.hasobject else []
        if set(map(type, values)) - {str}:  # texts of numpy's own kind are texts, which no JSON is written of
            held = np.empty(made.size, object)
            held[:] = [str(one) if isinstance(one, str) else one for one in values]
            made = held.reshape(made.shape)
        return made


def load(path: Path, inputs: Sequence[Tensor], *, as_frame: bool, trusted: Collection[str]) -> SkopsModel:
    """Load a skops file.

    Args:
        path: of the file.
        inputs: as for `SkopsModel`.
        as_frame: as for `SkopsModel`.
        trusted: full names of the types, beyond those that skops itself knows to be harmless, that may be built.

    Raises:
        LoadError: it needs a type that is not trusted, or is no such file.
    """
    if as_frame:
        _needs_pandas()
    return SkopsModel(_one_thread(loaded(path, trusted)), inputs, as_frame=as_frame)


def loaded(path: Path, trusted: Collection[str]) -> Any:  # noqa: ANN401 - an estimator has no type of ours
    """Build what a skops file holds; raises LoadError as `load` does."""
    try:
        needed = skops_io.get_untrusted_types(file=path)
        _refuse_beyond(path, needed, trusted)
        return skops_io.load(path, trusted=list(needed))
    except (LoadError, MemoryError):
        raise
    except Exception as error:  # skops' errors have no base of their own
        raise LoadError(f"skops does not load {path.name}: {said(error)}") from error


def _refuse_beyond(path: Path, needed: Sequence[str], trusted: Collection[str]) -> None:
    beyond = [name for name in needed if name not in trusted]
    if beyond:
        more = f" and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
        raise LoadError(
            f"{path.name} needs types that nobody said to trust: {', '.join(beyond[:_SHOWN])}{more}; once somebody has "
            "looked at them, name them with --trust, or in DRIFTLINE_PACKAGES_TRUSTED_TYPES where it is served"
        )


def outputs_of(estimator: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 - an estimator has no type of ours
    """Give the tensors that an estimator answers: class and probabilities, class alone, or a number."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return (Tensor(name=NUMBER, datatype="FP64", shape=(-1, 1)),)
    label = Tensor(name=LABEL, datatype=_class_type(np.asarray(classes)), shape=(-1,))
    if not hasattr(estimator, "predict_proba"):
        return (label,)
    return (label, Tensor(name=PROBABILITIES, datatype="FP64", shape=(-1, len(classes))))


def _class_type(classes: NDArray[Any]) -> Datatype:
    if classes.ndim != 1:
        raise LoadError(_SEVERAL)
    kind = datatype_of(classes.dtype)
    if kind in FLOATS and not np.array_equal(classes, np.floor(classes)):
        return "FP64"
    # Truth values and whole floats too: so does what becomes ONNX, whose place it may take.
    return "BYTES" if kind == "BYTES" else "INT64"


def _same_columns(estimator: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - as above
    wanted = getattr(estimator, "n_features_in_", len(columns))
    if wanted != len(columns):
        raise LoadError(f"the estimator learnt from {wanted} columns, and the inputs have {len(columns)}")
    names = getattr(estimator, "feature_names_in_", None)
    for own, given in zip([] if names is None else list(names), columns, strict=False):
        if own != given:
            raise LoadError(f"the estimator learnt from the column {own!r} where the inputs have {given!r}")


def _one_thread(estimator: Any) -> Any:  # noqa: ANN401 - as above
    """Set every `n_jobs` to 1: a pool of workers a request costs more than it gives, and is bounded by nothing."""
    if not hasattr(estimator, "get_params"):
        return estimator
    jobs = {
        name: 1
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] == "n_jobs" and value not in (None, 1)
    }
    return estimator.set_params(**jobs) if jobs else estimator


def _last(estimator: Any) -> Any:  # noqa: ANN401 - as above
    steps = getattr(estimator, "steps", None)
    return steps[-1][1] if steps else estimator


def _common(parts: Sequence[NDArray[Any]]) -> np.dtype[Any]:
    """One type for a matrix of columns: floats for numbers alone, objects where a text is among them."""
    return np.dtype(object) if any(part.dtype.kind == "O" for part in parts) else np.dtype(np.float64)


def _needs_pandas() -> None:
    try:
        import pandas as pd  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise LoadError("the estimator picks columns by name and needs pandas: pip install pandas") from error
    del pd
