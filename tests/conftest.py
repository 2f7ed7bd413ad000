"""What holds for every test: no settings of the caller's shell, the same examples in every run."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import examples
import hypothesis
import programs
import pytest

NOT_DONE = 3
"""Exit code of a run of tests that something ended before they were done."""

hypothesis.settings.register_profile(
    "driftline",
    deadline=None,  # a test states a fact; benchmarks measure speed
    derandomize=True,  # a red run is red again
    print_blob=True,
)
hypothesis.settings.load_profile("driftline")


def pytest_configure(config: pytest.Config) -> None:
    """Take the settings of the caller's shell away, so that no test reaches a stack that is not its own."""
    examples.Run.is_short = "not slow" in config.option.markexpr
    config.addinivalue_line(
        "markers",
        "needs(program, package=program): not run where a program is missing, but in CI",
    )
    for name in list(os.environ):
        if name.startswith("DRIFTLINE_"):
            del os.environ[name]
    own, leave = os.getpid(), os._exit
    # What ends the process at once ends the tests too, and must not look as if they had passed.
    os._exit = lambda code: leave(code or NOT_DONE if os.getpid() == own else code)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Return the top folder of the checkout."""
    return Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and name, the tests whose program is not installed; CI installs all of them and leaves out none."""
    missing: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in items:
        for mark in item.iter_markers("needs"):
            if programs.found(mark.args[0]) is None and not os.environ.get("CI"):
                missing.setdefault((mark.args[0], mark.args[-1]), []).append(item)
    for (program, package), tests in missing.items():
        names = ", ".join(test.name for test in tests)
        said = f"not run, for {program} is not installed ({programs.install(program, package)}): {names}"
        config.get_terminal_writer().line(said, yellow=True)
        config.hook.pytest_deselected(items=tests)
    gone = {id(test) for tests in missing.values() for test in tests}
    items[:] = [item for item in items if id(item) not in gone]


def pytest_collection_finish() -> None:
    """Keep what collecting made out of every later collection of garbage: it stays until the end."""
    gc.collect()
    gc.freeze()
