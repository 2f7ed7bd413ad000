"""Output for programs."""

from __future__ import annotations

import json

import numpy as np

from driftline.deploy.cli.output import json_line


def test_json_is_strict() -> None:
    """NaN and infinities are null and numpy values are plain numbers."""
    line = json_line({"a": np.float64("nan"), "b": float("inf"), "c": np.int64(3), "d": np.array([1, 2])})
    assert json.loads(line) == {"a": None, "b": None, "c": 3, "d": [1, 2]}


def test_json_is_one_line() -> None:
    """A value with a line feed in it stays on one line."""
    assert "\n" not in json_line({"a": "x\ny"})
