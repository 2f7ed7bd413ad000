"""Packing: a model, what people say of it, and rows that it answers become a folder whose manifest is signed."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.agents.control.signing import sign
from driftline.agents.serving.package import golden, sources
from driftline.agents.serving.package.contradictions import contradiction
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError, said
from driftline.agents.serving.package.folder import measured, opened
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.inside import misfit
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import File, Golden, Manifest, Reference
from driftline.agents.serving.package.roles import predicted_of, scores_of, with_lengths
from driftline.agents.serving.package.rows import MAX_ROWS, as_tensors, thinned
from driftline.agents.serving.package.signed import MAX_FILE_BYTES
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from driftline.agents.control.signing import Signer
    from driftline.agents.serving.package.about import About
    from driftline.agents.serving.package.rows import Rows
    from driftline.agents.serving.package.signed import Signed
    from driftline.agents.serving.package.sources import Source
    from driftline.schemas.profile import Profile

GOLDEN_ROWS: Final = 32
_GOLDEN_FILE: Final = "golden.json"
_PROFILE_FILE: Final = "reference.profile"
_RTOL: Final = {"FP16": 1e-2, "FP32": 1e-4, "FP64": 1e-4}
_ATOL: Final = {"FP16": 1e-2, "FP32": 1e-5, "FP64": 1e-5}
"""How far an answer may be off where nothing else is said: what other processors make of the same arithmetic."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A package that was made.

    Attributes:
        folder: where it lies.
        signed: its manifest.
        kept_because: why an estimator stayed one, and did not become ONNX; empty where it did, or was none.
        spread: how far apart the model's answers to the same rows lay, asked together and one by one.
    """

    folder: Path
    signed: Signed
    kept_because: str
    spread: float


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        about: what people say of the model.
        rows: that it is asked with: columns by name, or tensors.
        out: the folder that is made; it must not be there.
        signers: keys that sign the manifest.
        profile: the reference; None for none.
    """

    about: About
    rows: Rows
    out: Path
    signers: Sequence[Signer]
    profile: Profile | None = None


def pack_file(
    path: Path,
    order: Order,
    *,
    trusted: Collection[str] = (),
    convert: bool = True,
) -> Packed:
    """Pack an ONNX, skops or safetensors file.

    Args:
        path: of the file; its content tells the format.
        order: what is asked for.
        trusted: types that a skops file may hold beyond those that skops knows to be harmless.
        convert: whether a skops file becomes ONNX where it can.

    Raises:
        PackageError: it cannot be packed; the text says why and what to do.
    """
    kind = sources.format_of(path)
    with tempfile.TemporaryDirectory(prefix="driftline-pack-") as work:
        if kind == "onnx":
            source = sources.from_onnx(path, order.about)
        elif kind == "skops":
            rows = thinned(order.rows, MAX_ROWS)
            source = sources.from_skops(
                path, order.about, rows, trusted=trusted, convert=convert, work=Path(work)
            )
        else:
            source = sources.from_safetensors(path, order.about)
        return _packed(source, order)


def pack_estimator(estimator: Any, order: Order, *, convert: bool = True) -> Packed:  # noqa: ANN401 - any estimator
    """Pack a fitted estimator: as ONNX where that answers as it does, else as skops. Raises as `pack_file`."""
    with tempfile.TemporaryDirectory(prefix="driftline-pack-") as work:
        rows = thinned(order.rows, MAX_ROWS)
        source = sources.from_estimator(estimator, order.about, rows, convert=convert, work=Path(work))
        return _packed(source, order)


def _packed(source: Source, order: Order) -> Packed:
    if not order.signers:
        raise PackageError("a package needs the signature of at least one key")
    if order.out.exists():
        raise PackageError(f"{order.out} is there already: name a folder that is not")
    questions = as_tensors(thinned(order.rows, GOLDEN_ROWS), source.inputs)
    rows, tolerance, apart = _golden(source, questions, order.about)
    made = Path(tempfile.mkdtemp(prefix=".driftline-pack-", dir=_parent(order.out)))
    try:
        made.chmod(0o755)
        contents = {_GOLDEN_FILE: rows.to_bytes()}
        if order.profile is not None:
            contents[_PROFILE_FILE] = order.profile.to_bytes()
        files = [_written(made / name, name, data) for name, data in contents.items()]
        files += [_copied(made, path, origin) for path, origin in source.files.items()]
        manifest = _manifest(source, order, rows, tolerance, files)
        envelope = sign(envelopes.MANIFEST, manifest.to_bytes(), *order.signers)
        (made / FILE).write_bytes(envelope.to_bytes())
        signed = verify(made, None)
        made.rename(order.out)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError):
            raise PackageError(f"{order.out} cannot be written: {error.strerror}") from error
        raise
    return Packed(order.out, signed, source.kept_because, apart)


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
    source: Source, order: Order, rows: GoldenRows, tolerance: tuple[float, float], files: Sequence[File]
) -> Manifest:
    about, profile = order.about, order.profile
    classes = about.classes or source.classes
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


def _parent(out: Path) -> Path:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"{out} cannot be written: {error.strerror}") from error
    return out.parent
