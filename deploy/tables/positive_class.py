"""The class that a binary score is about: which it is, and whether the reference speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.deploy.tables.errors import TableError, one_of
from driftline.streams.join.outcomes_bytes import decode
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.stats.ranking import auc

if TYPE_CHECKING:
    from driftline.schemas.profile import Profile

CHANCE: Final = 0.5
"""AUC of scores that know nothing; below it the other class has the higher ones."""


@dataclass(frozen=True, slots=True)
class PositiveClass:
    """What the score of a profile with truth of two classes is taken to be the probability of.

    Attributes:
        name: the positive class.
        other: the negative one.
        auc: of the reference, over score bins; None without a score, or with one class alone.
    """

    name: str
    other: str
    auc: float | None

    @property
    def warning(self) -> str | None:
        """Say that the scores of the other class are higher; None where they are not."""
        if self.auc is None or self.auc >= CHANCE:
            return None
        return (
            f"the reference's AUC is {self.auc:.3f}, below 0.5, with {self.name!r} as the positive class: if the score "
            f"is the probability of {self.other!r}, build the profile again with --positive-class {self.other}"
        )


def positive_class_of(profile: Profile) -> PositiveClass | None:
    """Read the positive class out of a profile; None for one without truth of two classes.

    Raises:
        TableError: the profile's truth is damaged.
    """
    truth = profile.truth
    if truth is None or truth.task != "binary":
        return None
    other, name = truth.classes
    try:
        negatives, positives = np.sum([decode(day).scored for day in truth.days], axis=0)
    except ValueError as error:
        named = f"the profile of {profile.deployment} {profile.model_version}"
        raise TableError(f"the truth of {named} cannot be read ({error}): build it again") from error
    found = auc(positives, negatives) if truth.scores else None
    return PositiveClass(name, other, None if found is None else found.value)


def check_positive_class(profile: Profile, wanted: str) -> None:
    """Check that a class that people name as the positive one is one of the two.

    Raises:
        TableError: it is neither, or there are no two classes to choose from.
    """
    given = f"--positive-class {wanted} was given, but"
    if profile.truth is None or profile.truth.task != "binary":
        raise TableError(f"{given} the table has no truth of two classes to choose from: leave it out")
    scheme = scheme_of(profile, "")
    if scheme.index_of(wanted) < 0:
        raise TableError(
            f"{given} it is no class of the table's truth: {one_of(wanted, sorted(scheme.classes))}"
        )
