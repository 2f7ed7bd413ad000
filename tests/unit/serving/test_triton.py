"""The agent as tritonclient sees it, over loopback: what Triton's own client asks in JSON and in binary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
from served import Kept, agent, in_background, loaded, manifest
from tritonclient.utils import InferenceServerException

from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.slots import Slots


def everything(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Answer each input as it came, and a few more."""
    rows = len(inputs["text"])
    return {
        "text": np.array([[one[0].upper()] for one in inputs["text"]], object),
        "half": inputs["half"] * np.float16(2),
        "yes": ~inputs["yes"],
        "whole": inputs["whole"] + 1,
        "double": np.full((rows, 2), 0.25),
    }


INPUTS = (
    Tensor(name="text", datatype="BYTES", shape=(-1, 1)),
    Tensor(name="half", datatype="FP16", shape=(-1, 2)),
    Tensor(name="yes", datatype="BOOL", shape=(-1,)),
    Tensor(name="whole", datatype="INT64", shape=(-1, 1)),
)
OUTPUTS = (*INPUTS, Tensor(name="double", datatype="FP64", shape=(-1, 2)))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[triton.InferenceServerClient]:
    """Return a client of an agent that serves `plain` (three columns) and `many` (tensors of all kinds)."""

    def make() -> Any:
        made = agent(tmp_path, kept=Kept())
        made.swapper("plain").deployment.switch(Slots(champion=loaded("7")))
        many = loaded("2", everything, inputs=INPUTS, outputs=OUTPUTS, scores=())
        made.swapper("many").deployment.switch(Slots(champion=many))
        return made

    with in_background(make) as (_, port):
        found = triton.InferenceServerClient(f"127.0.0.1:{port}")
        yield found
        found.close()


def asked(name: str, datatype: str, array: Any, *, binary: bool) -> triton.InferInput:
    """Return an input."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def rows(*, binary: bool = True) -> list[triton.InferInput]:
    """Return the inputs of `many`; FP16 is binary always."""
    return [
        asked("text", "BYTES", np.array([["né"], [""]], object), binary=binary),
        asked("half", "FP16", np.array([[1, 2], [3, 4]], np.float16), binary=True),
        asked("yes", "BOOL", np.array([True, False]), binary=binary),
        asked("whole", "INT64", np.array([[1 << 60], [-1]]), binary=binary),
    ]


def test_health_and_metadata_are_as_triton_tells_them(client: triton.InferenceServerClient) -> None:
    """Live, ready, ready for a model and a version, and what server and model say of themselves."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("plain")
    assert client.is_model_ready("plain", "7")
    assert not client.is_model_ready("plain", "8")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "driftline"
    assert client.get_model_metadata("plain") == {
        "name": "plain",
        "versions": ["7"],
        "platform": manifest().format,
        "inputs": [{"name": "X", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "p", "datatype": "FP32", "shape": [-1, 1]}],
    }


@pytest.mark.parametrize("binary", [True, False])
def test_all_kinds_of_tensors_come_and_go(client: triton.InferenceServerClient, *, binary: bool) -> None:
    """Texts, booleans, whole numbers beyond 2^53 and floats travel in JSON and in binary, and answer by answer."""
    names = ["text", "yes", "whole", "double"]
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    wanted.append(triton.InferRequestedOutput("half", binary_data=True))
    found = client.infer("many", rows(binary=binary), request_id="mine", outputs=wanted)
    answer = found.get_response()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("many", "2", "mine")
    texts = [one[0] for one in found.as_numpy("text").tolist()]
    assert [one.decode() if isinstance(one, bytes) else one for one in texts] == ["NÉ", ""]
    assert found.as_numpy("half").tolist() == [[2.0, 4.0], [6.0, 8.0]]
    assert found.as_numpy("half").dtype == np.float16
    assert found.as_numpy("yes").tolist() == [False, True]
    assert found.as_numpy("whole").tolist() == [[(1 << 60) + 1], [0]]
    assert found.as_numpy("double").tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_only_the_outputs_that_are_asked_for_come(client: triton.InferenceServerClient) -> None:
    """A request that names one output of several gets that one."""
    found = client.infer("many", rows(), outputs=[triton.InferRequestedOutput("whole")])
    assert [one["name"] for one in found.get_response()["outputs"]] == ["whole"]


def test_unknown_parameters_pass(client: triton.InferenceServerClient) -> None:
    """Parameters that nobody knows, of a request and of an input, change nothing."""
    given = asked("X", "FP32", np.ones((1, 3), np.float32), binary=False)
    given._parameters["anything"] = "at all"
    found = client.infer("plain", [given], parameters={"tenant": "a", "retries": 3}, priority=1, timeout=5)
    assert found.as_numpy("p").tolist() == [[1.0]]


def test_what_is_not_carried_is_refused_in_words(client: triton.InferenceServerClient) -> None:
    """BF16, FP16 in JSON, a class count, shared memory, another version or model or shape: each with its sentence."""
    bf16 = triton.InferInput("X", [1, 3], "BF16")
    bf16.set_data_from_numpy(np.ones((1, 3), ml_dtypes.bfloat16))
    plain = [asked("X", "FP32", np.ones((1, 3), np.float32), binary=True)]
    half = [triton.InferRequestedOutput("half", binary_data=False)]
    several = [triton.InferRequestedOutput("p", class_count=2)]
    near, far = triton.InferRequestedOutput("p"), asked("X", "FP32", np.ones((1, 3), np.float32), binary=True)
    near.set_shared_memory("region", 4)
    far.set_shared_memory("region", 12)
    wide = [asked("X", "FP32", np.ones((1, 4), np.float32), binary=True)]
    for name, inputs, more, said in (
        ("plain", [bf16], {}, "BF16, which numpy does not know: send FP32"),
        ("many", rows(), {"outputs": half}, "FP16, which JSON does not carry: ask for it binary"),
        ("plain", plain, {"outputs": several}, "classification is asked"),
        (
            "plain",
            plain,
            {"outputs": [near]},
            "the output 'p' is asked for in shared memory, which is not done",
        ),
        ("plain", [far], {}, "the input 'X' lies in shared memory, which is not taken: send its data"),
        ("plain", plain, {"model_version": "8"}, "version '8' of plain does not answer; 7 does"),
        ("other", plain, {}, "there is no deployment 'other' here"),
        ("plain", wide, {}, "has shape [1, 4]; it must be [-1, 3]"),
        ("plain", [*plain, *rows()[:1]], {}, "there is no input 'text'"),
        ("plain", plain, {"request_compression_algorithm": "gzip"}, "compressed bodies are not read"),
    ):
        with pytest.raises(InferenceServerException) as refused:
            client.infer(name, inputs, **more)
        assert said in str(refused.value)
