"""What tests of packages share: small models of each format, what people say of them, packages made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from signed import key

from driftline.agents.control.signing import sign
from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import File, Golden, Manifest
from driftline.agents.serving.package.pack import Order, Packed, pack_file
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.tensors import Tensor, datatype_of
from driftline.schemas.control import envelope as envelopes
from driftline.schemas.control.envelope import Envelope

COLUMNS = ("age", "income", "visits")
SIGNER = key("packer")
KEYS = {SIGNER.keyid: SIGNER.public}
DATA_DIGEST = hashlib.sha256(b"training data").hexdigest()
ROWS = {name: np.linspace(-1, 1, 40) * (place + 1) for place, name in enumerate(COLUMNS)}


class Betrayal:
    """What writes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self._witness = str(witness)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return exec, (f"open({self._witness!r}, 'w').close()",)


def about(**changes: Any) -> About:
    """What people say of the model."""
    given: dict[str, Any] = {
        "name": "churn",
        "version": "3",
        "target": "left",
        "owner": "Ana Ruiz",
        "purpose": "says who may leave",
        "tier": "medium",
        "oversight": "Bo Lind",
        "training_data": DATA_DIGEST,
        "columns": COLUMNS,
    }
    return About(**(given | changes))


def linear(path: Path, *, data: str = "", kind: int = TensorProto.FLOAT, bias: float = 0.0) -> Path:
    """Write an ONNX model: sigmoid(X @ w + b) of three columns; its weights lie in the file `data` if named."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = numpy_helper.from_array(np.array([[0.5], [-1.0], [2.0]], dtype), "w")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "w"], ["m"]),
            helper.make_node("Add", ["m", "b"], ["a"]),
            helper.make_node("Sigmoid", ["a"], ["p"]),
        ],
        "linear",
        [helper.make_tensor_value_info("X", kind, ["rows", len(COLUMNS)])],
        [helper.make_tensor_value_info("p", kind, ["rows", 1])],
        [weights, numpy_helper.from_array(np.array([bias], dtype), "b")],
    )
    return saved(path, graph, data)


def saved(path: Path, graph: Any, data: str = "") -> Path:
    """Write a graph as a model of an opset that every onnxruntime since 1.20 takes."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(
        model,
        path,
        save_as_external_data=bool(data),
        location=data or None,
        size_threshold=0,
        convert_attribute=False,
    )
    return path


def moved(model: bytes, location: str) -> bytes:
    """Return a model whose external data lie elsewhere."""
    held = onnx.load_from_string(model)
    for tensor in held.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    return bytes(held.SerializeToString())


def order(out: Path, **changes: Any) -> Order:
    """What is asked for when the linear model is packed."""
    given: dict[str, Any] = {"about": about(), "rows": ROWS, "out": out, "signers": (SIGNER,)}
    return Order(**(given | changes))


def packed(folder: Path, **changes: Any) -> Packed:
    """Pack the linear model below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model = changes.pop("model", None) or linear(folder / "linear.onnx")
    return pack_file(model, order(folder / "package", **changes))


def signed_again(folder: Path, *signers: Any, **changes: Any) -> Manifest:
    """Sign the manifest of a package again, changed so, with sizes and digests as its files now have them."""
    held = Manifest.from_bytes(Envelope.from_bytes((folder / FILE).read_bytes()).body)
    names = changes.pop("listed", None) or [file.path for file in held.files]
    files = tuple(listed(folder, name) for name in names)
    manifest = msgspec.structs.replace(held, files=files, **changes)
    payload = msgspec.json.encode(manifest, order="sorted")
    (folder / FILE).write_bytes(sign(envelopes.MANIFEST, payload, *(signers or (SIGNER,))).to_bytes())
    return manifest


def listed(folder: Path, name: str) -> File:
    """One file as a manifest lists it."""
    data = (folder / name).read_bytes()
    return File(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def by_hand(folder: Path, files: dict[str, bytes], *, rows: GoldenRows, **fields: Any) -> Manifest:
    """Make a package that `pack` would refuse to make: files as given, golden rows, a manifest signed as it should be.

    Args:
        folder: made here.
        files: path -> content; the first is the model.
        rows: golden rows, whose arrays say what inputs and outputs there are unless `fields` do.
        fields: of the manifest, over those of `about`.
    """
    folder.mkdir(parents=True)
    for name, data in {**files, "golden.json": rows.to_bytes()}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    said = about()
    given: dict[str, Any] = {
        **{name: getattr(said, name) for name in ("name", "version", "target", "owner", "purpose", "tier")},
        "oversight": said.oversight,
        "training_data": said.training_data,
        "provenance": "none",
        "format": "onnx",
        "model": next(iter(files)),
        "files": tuple(listed(folder, name) for name in (*files, "golden.json")),
        "inputs": tensors(rows.inputs),
        "outputs": tensors(rows.outputs),
        "golden": Golden(file="golden.json", rows=1, rtol=1e-4, atol=1e-5),
    }
    manifest = Manifest(**(given | fields))
    (folder / FILE).write_bytes(sign(envelopes.MANIFEST, manifest.to_bytes(), SIGNER).to_bytes())
    return manifest


def tensors(arrays: dict[str, Any]) -> Sequence[Tensor]:
    """Describe arrays, whose first axis is of rows."""
    return tuple(
        Tensor(name=name, datatype=datatype_of(array.dtype), shape=(-1, *array.shape[1:]))
        for name, array in arrays.items()
    )


def hold(cache: Path, ref: Any, store: Path, taken: Any, done: Any) -> None:
    """Hold a package of a cache until told otherwise; the target of a process of its own."""
    held = Cache(cache, max_bytes=1 << 24).take(ref, KEYS, folder_store(store))
    taken.set()
    done.wait(60)
    held.release()
