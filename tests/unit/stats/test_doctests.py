"""The examples in the docstrings of the statistics are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import driftline.streams.stats as package

MODULES = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]


@pytest.mark.parametrize("name", [*MODULES, "driftline.streams.windows.comparison"])
def test_examples_hold(name: str) -> None:
    """Each example of a module gives what its docstring says."""
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_there_are_examples() -> None:
    """The modules are found, and have examples."""
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) > 20
