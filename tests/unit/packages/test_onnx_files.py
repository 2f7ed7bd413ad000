"""The files that an ONNX model reads beside itself, told from its bytes as the onnx library tells them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from packaged import linear

from driftline.agents.serving.package import onnx_wire
from driftline.agents.serving.package.errors import BrokenPackageError
from driftline.agents.serving.package.onnx_wire import external_files


def outside(name: str, location: str) -> TensorProto:
    """Return a tensor whose data lies elsewhere."""
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "8")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def test_a_model_that_is_whole_reads_nothing(tmp_path: Path) -> None:
    """A model with its weights inside, and one whose input is called location, read no file."""
    assert external_files(linear(tmp_path / "m.onnx").read_bytes()) == []
    node = helper.make_node("Identity", ["location"], ["y"])
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("location", "y")]
    model = helper.make_model(helper.make_graph([node], "g", info[:1], info[1:]))
    helper.set_model_props(model, {"location": "nowhere"})
    assert external_files(model.SerializeToString()) == []


def test_data_beside_a_model_is_found(tmp_path: Path) -> None:
    """Weights that onnx itself put into a file are found by the name that it gave."""
    assert external_files(linear(tmp_path / "m.onnx", data="weights.bin").read_bytes()) == ["weights.bin"]


def test_tensors_are_found_wherever_they_may_lie() -> None:
    """Initializers, sparse ones, constants, branches, functions and training graphs: each file is found, once."""
    branch = helper.make_graph([], "branch", [], [], [outside("d", "in-branch")])
    constant = helper.make_node("Constant", [], ["c"], value=outside("c", "in-node"))
    fork = helper.make_node("If", ["c"], ["f"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [constant, fork], "g", [], [], [outside("a", "in-graph"), outside("b", "in-graph")]
    )
    graph.sparse_initializer.add().values.CopyFrom(outside("e", "sparse"))
    function = helper.make_function("own", "f", [], ["y"], [constant], [helper.make_opsetid("", 17)])
    function.node[0].attribute[0].t.CopyFrom(outside("h", "in-function"))
    model = helper.make_model(graph, functions=[function])
    model.training_info.add().algorithm.initializer.append(outside("i", "in-training"))
    found = external_files(model.SerializeToString())
    assert sorted(found) == ["in-branch", "in-function", "in-graph", "in-node", "in-training", "sparse"]


def test_what_is_no_message_is_refused() -> None:
    """A message that ends too soon, or has what no message has, is one sentence."""
    whole = helper.make_model(helper.make_graph([], "g", [], [], [outside("a", "w")])).SerializeToString()
    assert external_files(whole) == ["w"]
    for broken in (whole[:-1], b"\x0f", b"\x08", b"\xff" * 11, b"\x3a\x05\x00", b"\x0d\x00"):
        with pytest.raises(BrokenPackageError, match="the ONNX model"):
            external_files(broken)


def test_nesting_is_bounded() -> None:
    """A model that nests graphs without end is refused, and does not end the process."""
    message = helper.make_graph([], "g", [], [], [outside("a", "w")]).SerializeToString()
    for _ in range(40):
        for field in (6, 5, 1):  # the graph of an attribute of a node of a graph
            message = field_of(field, message)
    with pytest.raises(BrokenPackageError, match="nests more than 64 messages"):
        external_files(field_of(7, message))


def field_of(number: int, content: bytes) -> bytes:
    """Return a message that has one field."""
    length, rest = b"", len(content)
    while rest > 0x7F:
        length += bytes([0x80 | rest & 0x7F])
        rest >>= 7
    return bytes([number << 3 | 2]) + length + bytes([rest]) + content


def test_large_weights_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest's many nodes are stepped over at once: fields are read only where a tensor lies outside."""
    forest = helper.make_node("TreeEnsembleRegressor", ["X"], ["y"], nodes_modes=["BRANCH_LEQ"] * 10)
    forest.attribute.append(helper.make_attribute("nodes_featureids", list(range(100_000))))
    monkeypatch.setattr(onnx_wire, "MAX_FIELDS", 100)
    graph = helper.make_graph([forest], "g", [], [], [outside("a", "w")])
    assert external_files(helper.make_model(graph).SerializeToString()) == ["w"]
