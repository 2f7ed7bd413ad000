"""Contradictions: parts of a manifest that do not fit together, each a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.tensors import FLOATS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.agents.serving.package.manifest import Manifest

_MATRIX: Final = 2


def contradiction(manifest: Manifest) -> str:
    """Give what does not fit together, as a sentence without its end; an empty text when all does."""
    checks = (_of_files, _of_tensors, _of_scores, _of_format)
    return next((wrong for check in checks if (wrong := check(manifest))), "")


def _of_files(manifest: Manifest) -> str:
    paths = [file.path for file in manifest.files]
    twice = _repeated(path.lower() for path in paths)
    if twice:
        return f"it lists the file {twice!r} twice"
    if FILE in (path.lower() for path in paths):
        return f"it lists {FILE}, which is its own file"
    folders = {path[:at] for path in paths for at, mark in enumerate(path) if mark == "/"}
    if both := folders & set(paths):
        return f"{min(both)!r} is a file and a folder"
    wanted = {"model": manifest.model, "golden": manifest.golden.file}
    if manifest.profile is not None:
        wanted["profile"] = manifest.profile.file
    for role, path in wanted.items():
        if path not in paths:
            return f"its {role} {path!r} is none of its files"
    if len(set(wanted.values())) != len(wanted):
        return "one file is its model, its golden rows or its profile at once"
    return ""


def _of_tensors(manifest: Manifest) -> str:
    for what, tensors in (("input", manifest.inputs), ("output", manifest.outputs)):
        twice = _repeated(tensor.name for tensor in tensors)
        if twice:
            return f"two {what}s are called {twice!r}"
        for tensor in tensors:
            if tensor.shape[0] != -1:
                return f"the first axis of the {what} {tensor.name!r} is {tensor.shape[0]}, and must be -1, for rows"
            if tensor.columns and (len(tensor.shape) != _MATRIX or tensor.shape[1] != len(tensor.columns)):
                return f"the {what} {tensor.name!r} names {len(tensor.columns)} columns for shape {list(tensor.shape)}"
    columns = manifest.columns
    if twice := _repeated(columns):
        return f"two columns of its inputs are called {twice!r}"
    known = set(columns)
    for what, names in (("segments", manifest.segments), ("feature_importance", manifest.feature_importance)):
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            return f"{what} names {unknown!r}, which is no column of its inputs"
    return ""


def _of_scores(manifest: Manifest) -> str:
    outputs = {tensor.name: tensor for tensor in manifest.outputs}
    if manifest.predicted and manifest.predicted not in outputs:
        return f"predicted is {manifest.predicted!r}, which is no output"
    if twice := _repeated(score.name for score in manifest.scores):
        return f"two scores are called {twice!r}"
    for score in manifest.scores:
        tensor = outputs.get(score.output)
        if tensor is None:
            return f"the score {score.name!r} is taken from {score.output!r}, which is no output"
        width = 1 if len(tensor.shape) == 1 else tensor.shape[1]
        if len(tensor.shape) > _MATRIX or score.column >= width or tensor.datatype not in FLOATS:
            shape = f"{tensor.datatype} {list(tensor.shape)}"
            return f"the score {score.name!r} is column {score.column} of {score.output!r}, which is {shape}"
    if twice := _repeated(manifest.classes):
        return f"two classes are called {twice!r}"
    return ""


def _of_format(manifest: Manifest) -> str:
    if (manifest.format == "safetensors") != bool(manifest.architecture):
        return "an architecture goes with safetensors, and with nothing else"
    if manifest.config and manifest.format != "safetensors":
        return "a config goes with safetensors alone"
    return "as_frame goes with skops alone" if manifest.as_frame and manifest.format != "skops" else ""


def _repeated(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
