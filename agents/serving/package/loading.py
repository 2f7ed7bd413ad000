"""Loading a package: by its format, and held against its manifest before anybody asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.serving.package.errors import LoadError
from driftline.agents.serving.package.tensors import alike

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.model import LoadedModel
    from driftline.agents.serving.package.tensors import Tensor


def load(folder: Path, manifest: Manifest, *, trusted: Collection[str] = (), threads: int = 1) -> LoadedModel:
    """Load the model of a package.

    Args:
        folder: of the cache: it holds the files that the manifest lists and nothing else.
        manifest: as it was signed.
        trusted: types that policy trusts in skops files, by full name.
        threads: of one call, in onnxruntime.

    Raises:
        LoadError: it does not load, or its tensors are not those of the manifest.
        MemoryError: there is too little of it.
    """
    path = folder / manifest.model
    model: LoadedModel
    # Each library is imported for the packages that need it alone: skops brings scikit-learn, which takes a second.
    if manifest.format == "onnx":
        from driftline.agents.serving.package.onnx import OnnxModel  # noqa: PLC0415

        model = OnnxModel(path, threads=threads)
    elif manifest.format == "skops":
        from driftline.agents.serving.package import skops  # noqa: PLC0415

        model = skops.load(path, manifest.inputs, as_frame=manifest.as_frame, trusted=trusted)
    else:
        from driftline.agents.serving.package import safetensors  # noqa: PLC0415

        model = safetensors.load(
            path, manifest.architecture, manifest.config, manifest.inputs, manifest.outputs
        )
    _same("input", manifest.inputs, model.inputs)
    _same("output", manifest.outputs, model.outputs)
    return model


def _same(what: str, wanted: Sequence[Tensor], held: Sequence[Tensor]) -> None:
    """Raise LoadError unless a model's tensors are those of its manifest, whatever their order."""
    known = {tensor.name: tensor for tensor in held}
    for tensor in wanted:
        own = known.pop(tensor.name, None)
        if own is None:
            raise LoadError(
                f"the manifest has the {what} {tensor.name!r}, and the model has none of that name"
            )
        if not alike(tensor, own):
            raise LoadError(
                f"the {what} {tensor.name!r} is {tensor.datatype} {list(tensor.shape)} in the manifest, and "
                f"{own.datatype} {list(own.shape)} in the model"
            )
    if known:
        raise LoadError(f"the model has the {what} {min(known)!r}, which its manifest does not name")
