"""Weights from safetensors files, in an architecture that is installed: a package never brings code of its own."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol

from safetensors.numpy import load_file

from driftline.agents.serving.package.errors import LoadError, said
from driftline.agents.serving.package.tensors import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from driftline.agents.serving.package.tensors import Tensor

GROUP: Final = "driftline.architectures"
"""Entry points of this group are architectures."""

Arrays = dict[str, "NDArray[Any]"]


class Architecture(Protocol):
    """What an entry point names: a function from weights to a function that predicts."""

    def __call__(
        self, weights: Mapping[str, NDArray[Any]], config: Mapping[str, Any], /
    ) -> Callable[[Arrays], Arrays]:
        """Build a model of named arrays and the manifest's config; raises whatever says that they do not fit."""
        ...


class SafetensorsModel:
    """Weights in their architecture."""

    def __init__(
        self, ask: Callable[[Arrays], Arrays], inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> None:
        """Wrap a function that predicts, whose tensors are those of the manifest."""
        self._ask = ask
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Answer rows; raises what the architecture raises, and InputError where it answers other tensors."""
        found = self._ask(dict(inputs))
        conform("output", found, self.outputs)
        return found

    def close(self) -> None:
        """Let go of the weights."""
        del self._ask


def load(
    path: Path,
    architecture: str,
    config: Mapping[str, Any],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
) -> SafetensorsModel:
    """Load weights.

    Args:
        path: of the file.
        architecture: name of an installed entry point.
        config: what the architecture is called with beside the weights.
        inputs: of the manifest; the architecture is asked with these.
        outputs: of the manifest; the architecture answers these.

    Raises:
        LoadError: no such architecture is installed, the file is no such file, or they do not fit each other.
    """
    build = _installed(architecture)
    try:
        weights = load_file(path)
    except MemoryError:
        raise
    except Exception as error:  # numpy's, the library's own and the system's
        raise LoadError(
            f"{path.name} cannot be read as safetensors with numpy's types: {said(error)}"
        ) from error
    try:
        return SafetensorsModel(build(weights, config), inputs, outputs)
    except MemoryError:
        raise
    except Exception as error:  # whatever the architecture raises
        raise LoadError(
            f"the architecture {architecture!r} does not take {path.name}: {said(error)}"
        ) from error


def _installed(name: str) -> Architecture:
    found = entry_points(group=GROUP)
    chosen = [entry for entry in found if entry.name == name]
    if len(chosen) != 1:
        known = ", ".join(sorted({entry.name for entry in found})) or "none"
        what = "is not installed here" if not chosen else "is installed by several distributions"
        raise LoadError(f"the architecture {name!r} {what} (entry points {GROUP!r}; installed: {known})")
    try:
        build: Architecture = chosen[0].load()
    except Exception as error:  # an import may raise anything
        raise LoadError(f"the architecture {name!r} cannot be imported: {said(error)}") from error
    return build
