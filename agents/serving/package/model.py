"""LoadedModel: a model that answers, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from driftline.agents.serving.package.tensors import Tensor


class LoadedModel(Protocol):
    """A model in memory; several threads may ask it at once."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What it is asked with."""
        ...

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What it answers."""
        ...

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer rows.

        Args:
            inputs: name -> array, as `tensors.conform` lets pass.

        Returns:
            Every output, by name, with as many rows.

        Raises:
            Exception: whatever the model raises.
        """
        ...

    def close(self) -> None:
        """Let go of the memory; no call may be under way or follow."""
        ...
