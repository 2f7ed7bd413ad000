"""Packing: a model, what people say of it, and rows that it answers become a folder whose manifest is signed."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.agents.control.signing import sign
from driftline.agents.serving.package.build import Built, Wanted, build_estimator, build_file
from driftline.agents.serving.package.build_in_child import build_in_child
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.sources import format_of
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from driftline.agents.control.signing import Signer
    from driftline.agents.serving.package.about import About
    from driftline.agents.serving.package.rows import Rows
    from driftline.agents.serving.package.signed import Signed
    from driftline.agents.serving.package.trial import Bounds
    from driftline.schemas.profile import Profile


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
    bounds: Bounds | None = None,
) -> Packed:
    """Pack an ONNX, skops or safetensors file.

    Args:
        path: of the file; its content tells the format.
        order: what is asked for.
        trusted: types that a skops file may hold beyond those that skops knows to be harmless.
        convert: whether a skops file becomes ONNX where it can.
        bounds: what a process of its own may take, in which the model is loaded and asked; None loads and asks it in
            this one, for as long as it takes.

    Raises:
        PackageError: it cannot be packed; the text says why and what to do.
    """

    def build(wanted: Wanted, made: Path) -> Built:
        kind = format_of(path)
        if bounds is None:
            return build_file(path, kind, wanted, made, trusted=trusted, convert=convert)
        return build_in_child(path, kind, wanted, made, trusted=trusted, convert=convert, bounds=bounds)

    return _packed(order, build)


def pack_estimator(estimator: Any, order: Order, *, convert: bool = True) -> Packed:  # noqa: ANN401 - any estimator
    """Pack a fitted estimator: as ONNX where that answers as it does, else as skops. Raises as `pack_file`."""
    return _packed(order, lambda wanted, made: build_estimator(estimator, wanted, made, convert=convert))


def _packed(order: Order, build: Callable[[Wanted, Path], Built]) -> Packed:
    if not order.signers:
        raise PackageError("a package needs the signature of at least one key")
    if order.out.exists():
        raise PackageError(f"{order.out} is there already: name a folder that is not")
    made = Path(tempfile.mkdtemp(prefix=".driftline-pack-", dir=_parent(order.out)))
    try:
        made.chmod(0o755)
        built = build(Wanted(order.about, order.rows, order.profile), made)
        envelope = sign(envelopes.MANIFEST, built.manifest.encode(), *order.signers)
        (made / FILE).write_bytes(envelope.to_bytes())
        signed = verify(made, None)
        made.rename(order.out)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError):
            raise PackageError(f"{order.out} cannot be written: {error.strerror}") from error
        raise
    return Packed(order.out, signed, built.kept_because, built.spread)


def _parent(out: Path) -> Path:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PackageError(f"{out} cannot be written: {error.strerror}") from error
    return out.parent
