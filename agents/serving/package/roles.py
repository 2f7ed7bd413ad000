"""What outputs are for: which hold the scores that events carry, and which the predicted class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.manifest import Score
from driftline.agents.serving.package.tensors import ANY, FLOATS, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.schemas.profile import Profile

_TWO = 2
_NAME = "score"


def scores_of(
    outputs: Sequence[Tensor], classes: Sequence[str], profile: Profile | None
) -> tuple[Score, ...]:
    """Find the scores among a model's outputs.

    One score of two classes is that of the second, which scikit-learn calls the positive one; else there is a score for
    each column. They have the names that the profile has, or `score`, or those of the classes.

    Raises:
        PackageError: the profile counts scores, and which outputs hold them cannot be told.
    """
    names = [] if profile is None else [column.name for column in profile.columns if column.role == "score"]
    held = [tensor for tensor in outputs if tensor.datatype in FLOATS and len(tensor.shape) <= _TWO]
    if len(held) != 1:
        return _untold(names, "several outputs hold floats" if held else "no output holds floats")
    output = held[0]
    width = 1 if len(output.shape) == 1 else output.shape[1]
    if width == _TWO and len(names) <= 1 and len(classes) in (0, _TWO):
        return (Score(name=names[0] if names else _NAME, output=output.name, column=1),)
    if width == 1 and len(names) <= 1:
        return (Score(name=names[0] if names else _NAME, output=output.name),)
    named = names or list(classes)
    if len(named) != width:
        return _untold(names, f"{output.name!r} has {width} columns")
    if names and classes and set(names) == set(classes):
        named = list(classes)  # the columns stand in the order of the classes, whatever that of the profile
    return tuple(Score(name=name, output=output.name, column=number) for number, name in enumerate(named))


def predicted_of(outputs: Sequence[Tensor]) -> str:
    """Find the output that holds the class: the one that is no float; empty where there are none or several."""
    held = [tensor.name for tensor in outputs if tensor.datatype not in FLOATS and len(tensor.names) == 1]
    return held[0] if len(held) == 1 else ""


def with_lengths(outputs: Sequence[Tensor], answers: Mapping[str, NDArray[Any]]) -> tuple[Tensor, ...]:
    """Give the outputs with the width that their answers have, where the model leaves that of a matrix open."""
    return tuple(
        Tensor(name=tensor.name, datatype=tensor.datatype, shape=(ANY, answers[tensor.name].shape[1]))
        if len(tensor.shape) == _TWO and tensor.shape[1] == ANY
        else tensor
        for tensor in outputs
    )


def _untold(names: Sequence[str], why: str) -> tuple[Score, ...]:
    if names:
        raise PackageError(
            f"the profile counts the score {names[0]!r}, and which output holds it cannot be told ({why}): say it with "
            "[[scores]] name, output and column"
        )
    return ()
