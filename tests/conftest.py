"""What holds for every test: no settings of the caller's shell, the same examples in every run."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "driftline",
    deadline=None,  # a test states a fact; benchmarks measure speed
    derandomize=True,  # a red run is red again
    print_blob=True,
)
hypothesis.settings.load_profile("driftline")


def pytest_configure() -> None:
    """Take the settings of the caller's shell away, so that no test reaches a stack that is not its own."""
    for name in list(os.environ):
        if name.startswith("DRIFTLINE_"):
            del os.environ[name]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the top folder of the checkout."""
    return Path(__file__).resolve().parent.parent
