"""Whether one package can take the place of another: callers ask both alike, and both predict the same thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.serving.package.tensors import alike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.tensors import Tensor


def misfits(present: Manifest, following: Manifest) -> list[str]:
    """Give why callers of one package could not be answered by another, a sentence each; empty when they can be.

    Inputs must be the same tensors, outputs at least the same; target, classes and names of scores are what windows are
    judged by, so they must be the same too.

    Args:
        present: what serves.
        following: what is to take its place, or some of its callers.
    """
    return [
        f"{following.title} cannot take the place of {present.title}: {why}"
        for why in _reasons(present, following)
    ]


def _reasons(present: Manifest, following: Manifest) -> Iterator[str]:
    yield from _lacking("input", present.inputs, following.inputs)
    known = {tensor.name for tensor in present.inputs}
    for tensor in following.inputs:
        if tensor.name not in known:
            yield f"it wants the input {tensor.name!r}, which nobody sends"
    yield from _lacking("output", present.outputs, following.outputs)
    for what, old, new in (
        ("target", [present.target], [following.target]),
        ("classes", present.classes, following.classes),
        ("scores", sorted(_scores(present)), sorted(_scores(following))),
    ):
        if list(old) != list(new):
            yield f"its {what} {'is' if what == 'target' else 'are'} {_listed(new)}, and not {_listed(old)}"


def _lacking(what: str, present: Sequence[Tensor], following: Sequence[Tensor]) -> Iterator[str]:
    held = {tensor.name: tensor for tensor in following}
    for tensor in present:
        other = held.get(tensor.name)
        if other is None:
            yield f"it has no {what} {tensor.name!r}"
        elif other.names != tensor.names or not alike(tensor, other):
            yield (f"its {what} {tensor.name!r} is {_described(other)}, and not {_described(tensor)}")


def _described(tensor: Tensor) -> str:
    of = f" of {_listed(tensor.columns)}" if tensor.columns else ""
    return f"{tensor.datatype} {list(tensor.shape)}{of}"


def _scores(manifest: Manifest) -> list[str]:
    return [score.name for score in manifest.scores]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) or "none"
