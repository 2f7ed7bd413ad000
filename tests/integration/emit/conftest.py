"""Topics of a test's own on the real broker, and emitters in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from emit_rig import Script, Topics
from real_stack import TestStack

from driftline.deploy.local.kafka import KafkaBroker


@pytest.fixture
def topics(stack: TestStack) -> Iterator[Topics]:
    """Make topics of this test's own on the running broker."""
    stack.mend()
    settings = stack.create_topics(f"emit_{uuid.uuid4().hex[:8]}.")
    yield Topics(settings, stack.env_of(settings))
    stack.clear(settings)


@pytest.fixture
def broker(stack: TestStack) -> KafkaBroker:
    """Give the broker, which tests kill and start."""
    assert stack.kafka is not None
    return stack.kafka


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Script]:
    """Run Python in a process of its own, with more variables if any; whatever still lives at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(source: str, env: Mapping[str, str] | None = None, **values: object) -> subprocess.Popen[str]:
        path = tmp_path / f"script{len(running)}.py"
        path.write_text(
            "".join(f"{key} = {value!r}\n" for key, value in values.items()) + source, encoding="utf-8"
        )
        process = subprocess.Popen(
            [sys.executable, str(path)],
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def script(scripts: Script, topics: Topics) -> Script:
    """Run Python in a process of its own with the test's topics."""
    return partial(scripts, env=topics.env)
