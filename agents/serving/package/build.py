"""Build: a model is asked rows, and becomes with its answers a folder that lacks a signature alone to be a package."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from driftline.agents.serving.package import golden, sources
from driftline.agents.serving.package.contradictions import contradiction
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError, said
from driftline.agents.serving.package.folder import measured, opened
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.inside import misfit
from driftline.agents.serving.package.manifest import File, Format, Golden, Manifest, Reference
from driftline.agents.serving.package.roles import predicted_of, scores_of, with_lengths
from driftline.agents.serving.package.rows import MAX_ROWS, as_tensors, thinned
from driftline.agents.serving.package.signed import MAX_FILE_BYTES
from driftline.schemas.names import name_fault

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.agents.serving.package.about import About
    from driftline.agents.serving.package.rows import Rows
    from driftline.agents.serving.package.sources import Source
    from driftline.agents.serving.package.tensors import Tensor
    from driftline.schemas.profile import Profile

GOLDEN_ROWS: Final = 32
_GOLDEN_FILE: Final = "golden.json"
_PROFILE_FILE: Final = "reference.profile"
_RTOL: Final = {"FP16": 1e-2, "FP32": 1e-4, "FP64": 1e-4}
_ATOL: Final = {"FP16": 1e-2, "FP32": 1e-5, "FP64": 1e-5}
"""How far an answer may be off where nothing else is said: what other processors make of the same arithmetic."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is built.

    Attributes:
        about: what people say of the model.
        rows: that it is asked with: columns by name, or tensors.
        profile: the reference; None for none.
    """

    about: About
    rows: Rows
    profile: Profile | None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What was built.

    Attributes:
        manifest: the payload, as text; it lists every file.
        kept_because, spread: as in `pack.Packed`.
    """

    manifest: str
    kept_because: str
    spread: float


def build_file(
    path: Path,
    kind: Format,
    wanted: Wanted,
    made: Path,
    *,
    trusted: Collection[str],
    convert: bool,
    within: Path | None = None,
) -> Built:
    """Load a file, ask it, and build a package but for its signature.

    Args:
        path: of the file.
        kind: its format, as `sources.format_of` tells it.
        wanted: what is built.
        made: an empty folder, for the package.
        trusted: as for `pack.pack_file`.
        convert: as for `pack.pack_file`.
        within: a folder for files on the way; None takes that of the system.

    Raises:
        PackageError: it cannot be packed; the text says why and what to do.
    """
    about = wanted.about
    with tempfile.TemporaryDirectory(prefix="driftline-pack-", dir=within) as work:
        if kind == "onnx":
            source = sources.from_onnx(path, about)
        elif kind == "skops":
            rows = thinned(wanted.rows, MAX_ROWS)
            source = sources.from_skops(path, about, rows, trusted=trusted, convert=convert, work=Path(work))
        else:
            source = sources.from_safetensors(path, about)
        return _built(source, wanted, made)


def build_estimator(estimator: Any, wanted: Wanted, made: Path, *, convert: bool) -> Built:  # noqa: ANN401 - any estimator
    """Ask a fitted estimator, and build a package but for its signature; arguments and errors as for `build_file`."""
    with tempfile.TemporaryDirectory(prefix="driftline-pack-") as work:
        rows = thinned(wanted.rows, MAX_ROWS)
        source = sources.from_estimator(estimator, wanted.about, rows, convert=convert, work=Path(work))
        return _built(source, wanted, made)


def _built(source: Source, wanted: Wanted, made: Path) -> Built:
    questions = as_tensors(thinned(wanted.rows, GOLDEN_ROWS), source.inputs)
    rows, tolerance, spread = _golden(source, questions, wanted.about)
    contents = {_GOLDEN_FILE: rows.to_bytes()}
    if wanted.profile is not None:
        contents[_PROFILE_FILE] = wanted.profile.to_bytes()
    files = [_written(made / name, name, data) for name, data in contents.items()]
    files += [_copied(made, path, origin) for path, origin in source.files.items()]
    manifest = _manifest(source, wanted, rows, tolerance, files)
    return Built(manifest=manifest.to_bytes().decode(), kept_because=source.kept_because, spread=spread)


def _golden(
    source: Source, questions: Mapping[str, NDArray[Any]], about: About
) -> tuple[GoldenRows, tuple[float, float], float]:
    """Ask rows together and one by one; gives them with answers, the tolerances, and how far apart answers lay."""
    while True:
        answers = _asked(source, questions)
        golden.refuse_nan(answers)
        rows = GoldenRows(dict(questions), answers)
        count = len(next(iter(questions.values())))
        if count == 1 or len(rows.to_bytes()) <= golden.MAX_BYTES:
            break
        questions = {name: array[: count // 2] for name, array in questions.items()}
    floats = [tensor.datatype for tensor in source.model.outputs if tensor.datatype in _RTOL]
    rtol = max((_RTOL[kind] for kind in floats), default=0.0) if about.rtol is None else about.rtol
    atol = max((_ATOL[kind] for kind in floats), default=0.0) if about.atol is None else about.atol
    alone = [
        _asked(source, {name: array[n : n + 1] for name, array in questions.items()}) for n in range(count)
    ]
    single = {name: np.concatenate([each[name] for each in alone]) for name in answers}
    off = golden.difference(answers, single, rtol=rtol, atol=atol)
    if off is not None:
        raise PackageError(
            f"the model answers a row otherwise when it is asked alone ({off}): it must not depend on its neighbours "
            "or on chance; give rtol and atol if this much may be"
        )
    return rows, (rtol, atol), golden.spread(answers, single)


def _asked(source: Source, questions: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    try:
        return source.model.predict(questions)
    except Exception as error:
        raise PackageError(f"the model does not answer the rows: {said(error)}") from error


def _manifest(
    source: Source, wanted: Wanted, rows: GoldenRows, tolerance: tuple[float, float], files: Sequence[File]
) -> Manifest:
    about, profile = wanted.about, wanted.profile
    classes = about.classes or source.classes
    _can_be_named(source.inputs, classes)
    outputs = with_lengths(source.model.outputs, rows.outputs)
    manifest = Manifest(
        name=about.name,
        version=about.version,
        format=source.format,
        model=source.path,
        files=tuple(sorted(files, key=lambda file: file.path)),
        inputs=source.inputs,
        outputs=outputs,
        golden=Golden(
            file=_GOLDEN_FILE,
            rows=len(next(iter(rows.inputs.values()))),
            rtol=tolerance[0],
            atol=tolerance[1],
        ),
        profile=None if profile is None else Reference(file=_PROFILE_FILE, digest=profile.digest()),
        scores=about.scores or scores_of(outputs, classes, profile),
        predicted=about.predicted or predicted_of(outputs),
        target=about.target,
        classes=classes,
        segments=about.segments,
        feature_importance=about.feature_importance,
        owner=about.owner,
        purpose=about.purpose,
        tier=about.tier,
        oversight=about.oversight,
        training_data=about.training_data,
        provenance=about.provenance or ("none" if profile is None else profile.provenance),  # type: ignore[arg-type]
        architecture=source.architecture,
        config=dict(source.config),
        as_frame=source.as_frame,
    )
    wrong = contradiction(manifest) or ("" if profile is None else misfit(profile, manifest))
    if wrong:
        raise BrokenPackageError(f"{manifest.title} cannot be packed: {wrong}")
    return manifest


def _can_be_named(inputs: Sequence[Tensor], classes: Sequence[str]) -> None:
    """Refuse columns and classes whose names no event can carry; raises PackageError."""
    columns = [name for tensor in inputs for name in (tensor.name, *tensor.columns)]
    for what, name in (*(("column", one) for one in columns), *(("class", one) for one in classes)):
        wrong = name_fault(name)
        if wrong is not None:
            raise PackageError(
                f"the model's {what} {name[:60]!r} cannot be one of events: {wrong}; rename it, and train again"
            )


def _written(path: Path, name: str, data: bytes) -> File:
    path.write_bytes(data)
    return _listed(path, name)


def _copied(made: Path, path: str, origin: Path) -> File:
    with opened(origin.parent, origin.name) as file:
        size = file.seek(0, 2)
        if size > MAX_FILE_BYTES:
            raise PackageError(f"{origin} has {size:,} bytes; {MAX_FILE_BYTES:,} are allowed in a package")
        file.seek(0)
        to = made / path
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("xb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
    return _listed(to, path)


def _listed(path: Path, name: str) -> File:
    with path.open("rb") as file:
        size, digest = measured(file)
    return File(path=name, size=size, sha256=digest)
