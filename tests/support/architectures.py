"""An installed distribution that brings architectures: one that computes, and one for each way to break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from packaged import about, order
from safetensors.numpy import save_file

from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.pack import Packed, pack_file
from driftline.agents.serving.package.tensors import Tensor

MODULE = '''
"""Architectures of the tests."""
import os, signal, sys, time

import numpy as np

def dense(weights, config):
    w, scale = weights["w"], config.get("scale", 1.0)
    return lambda inputs: {"p": inputs["X"] @ w * np.float32(scale)}

def breaking(act):
    """An architecture that computes until the config names a moment, and then acts."""
    def build(weights, config):
        calls = [0]
        if config.get("at") == "load":
            act(config)
        def ask(inputs):
            calls[0] += 1
            if config.get("at") == "call" and calls[0] >= config.get("call", 1):
                act(config)
            return {"p": inputs["X"] @ weights["w"]}
        return ask
    return build

def hog(config):
    config["kept"] = np.ones(config["bytes"], np.uint8)

def terminate(config):
    """As C++ ends where nobody catches what it throws."""
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\\n")
    os.abort()

def telling(config):
    print("noise on stdout")
    if set(os.environ) - {"LC_CTYPE"} or os.getcwd() != "/" or sys.stdin.read():
        raise RuntimeError(f"{dict(os.environ)} {os.getcwd()}")

def writing(config):
    with open(config["path"], "wb") as file:
        file.write(b"x" * (8 << 20))

segfault = breaking(lambda config: os.kill(os.getpid(), signal.SIGSEGV))
killed = breaking(lambda config: os.kill(os.getpid(), signal.SIGKILL))
leaving = breaking(lambda config: os._exit(3))
raising = breaking(lambda config: [][0])
sleeping = breaking(lambda config: time.sleep(600))
hungry, starving, tidy, scribbling = map(breaking, (hog, terminate, telling, writing))
'''
NAMES = (
    "dense", "segfault", "killed", "leaving", "raising", "sleeping", "hungry", "starving", "tidy", "scribbling",
)  # fmt: skip


def install(folder: Path) -> Path:
    """Write the distribution; the folder is to stand on sys.path."""
    info = folder / "driftline_test_architectures-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "driftline_test_architectures.py").write_text(MODULE)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: driftline-test-architectures\nVersion: 1.0\n"
    )
    points = [f"{name} = driftline_test_architectures:{name}" for name in NAMES]
    (info / "entry_points.txt").write_text("[driftline.architectures]\n" + "\n".join(points) + "\n")
    return folder


def unpacked(folder: Path, architecture: str = "dense", **config: Any) -> tuple[Path, About]:
    """Write weights; return their file, and what is said of them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.array([[0.5], [-1.0], [2.0]], np.float32)}, folder / "m.safetensors")
    said = about(
        columns=(),
        architecture=architecture,
        config=config,
        inputs=(Tensor(name="X", datatype="FP32", shape=(-1, 3), columns=("age", "income", "visits")),),
        outputs=(Tensor(name="p", datatype="FP32", shape=(-1, 1)),),
    )
    return folder / "m.safetensors", said


def weights(folder: Path, architecture: str = "dense", **config: Any) -> Packed:
    """Pack weights; what the architecture does at `at` it does later, unless `at` is lacking."""
    path, said = unpacked(folder, architecture, **config)
    return pack_file(path, order(folder / "package", about=said))
