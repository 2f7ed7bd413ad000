"""Scheme: what a model version's answers mean and how truth is held against them, from its profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from driftline.schemas.number_text import number_text
from driftline.streams.join.labels import NUMBER
from driftline.streams.join.vocabulary import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.schemas.profile import Profile
    from driftline.schemas.profile_column import ProfileColumn

Task = Literal["binary", "classes", "regression"]

UNKNOWN: Final = -1
"""Index of a class that the scheme does not have, or of none."""
CLASSES_MAX: Final = 100
"""Classes with a row of their own in the confusion; a profile with more is counted without one."""
_SAME: Final[Mapping[str, str]] = MappingProxyType({"1": "true", "true": "1", "0": "false", "false": "0"})
"""How one and the same truth is written by a library that has booleans and by one that has not."""
_YES: Final = frozenset({"1", "true", "yes", "y", "positive"})


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """How predictions and labels of one model version are held against each other.

    Attributes:
        digest: of the profile; outcomes of one digest add up.
        task: `binary` (one score, the probability of the positive class), `classes` (a score a class, or none), or
            `regression` (one score, the predicted number).
        classes: in the order of the confusion; of a binary task (negative, positive); empty for regression.
        scores: names of the scores that are read, in order: one, or one a class.
        threshold: of a binary score; above it the model says the positive class, where the event carries none.
        edges: float64, ascending, of the score bins; bin j is (edges[j-1], edges[j]].
    """

    digest: str
    task: Task
    classes: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    threshold: float = 0.5
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def bins(self) -> int:
        """Number of score bins of a binary task; 0 otherwise."""
        return len(self.edges) + 1 if self.task == "binary" else 0

    def index_of(self, text: str) -> int:
        """Give the place of a class, `UNKNOWN` for one that is not of the scheme."""
        for name in (text, _SAME.get(text)):
            if name in self.classes:
                return self.classes.index(name)
        return UNKNOWN

    def true_classes(
        self, code: NDArray[np.int16], number: NDArray[np.float64], texts: Sequence[str]
    ) -> NDArray[np.int64]:
        """Give the class of each label, `UNKNOWN` where it names none; int64 (n,).

        Args:
            code: of `LabelRows`.
            number: of `LabelRows`.
            texts: the vocabulary's.
        """
        found = self.named_classes(code, texts)
        numbers = np.flatnonzero(code == NUMBER)
        if len(numbers):
            distinct, which = np.unique(number[numbers], return_inverse=True)
            of = np.array([self.index_of(number_text(value)) for value in distinct.tolist()], np.int64)
            found[numbers] = of[which]
        return found

    def named_classes(self, code: NDArray[np.int16], texts: Sequence[str]) -> NDArray[np.int64]:
        """Give the class of each code of the vocabulary, `UNKNOWN` for what names none; int64 (n,)."""
        table = np.array([*(self.index_of(text) for text in texts), UNKNOWN], np.int64)
        return table[np.where(code < 0, NONE, code)]


def scheme_of(profile: Profile, digest: str) -> Scheme:
    """Read the scheme out of a profile.

    A predicted class, or a score that always lies within 0 and 1, means classes, and any other score a number.
    """
    scores = [column for column in profile.columns if column.role == "score"]
    named = next((column for column in profile.columns if column.role == "class"), None)
    task = _task(scores, named)
    classes = named.levels if named is not None else ("0", "1")
    if task == "regression":
        return Scheme(digest, "regression", scores=tuple(column.name for column in scores[:1]))
    if task == "binary":
        edges = scores[0].edges.astype(np.float64) if scores else np.zeros(0)
        names = tuple(column.name for column in scores)
        return Scheme(digest, "binary", _negative_first(classes), names, edges=edges)
    classes = classes[:CLASSES_MAX]
    known = {column.name for column in scores}
    return Scheme(digest, "classes", classes, classes if known.issuperset(classes) else ())


def _task(scores: list[ProfileColumn], named: ProfileColumn | None) -> Task:
    if named is not None:
        return "binary" if len(named.levels) == 2 and len(scores) <= 1 else "classes"  # noqa: PLR2004 - no and yes
    if len(scores) > 1:
        return "classes"
    inside = scores and (scores[0].minimum or 0.0) >= 0.0 and (scores[0].maximum or 0.0) <= 1.0
    return "binary" if inside else "regression"


def _negative_first(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Order two classes: the positive one is that which says yes in so many words, else the last by name."""
    return tuple(sorted(classes, key=lambda name: (name.lower() in _YES, name)))
