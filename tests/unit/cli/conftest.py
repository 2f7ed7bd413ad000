"""A controller in memory, for tests of commands that ask it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from memory_wire import MemoryWire, Say, key_file
from office import Office

from driftline.deploy.cli import main
from driftline.deploy.control import wire as wires

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryWire:
    """Put a controller in memory where Kafka would be; `churn` is of medium tier and has a champion."""
    office = Office("medium")
    office.now_ms = time.time_ns() // 1_000_000
    office.created()
    made = MemoryWire(office)
    monkeypatch.setattr(wires, "wire_of", lambda _kafka: made)
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "nowhere:1")
    monkeypatch.setenv("DRIFTLINE_CLICKHOUSE_HOST", "nowhere")
    monkeypatch.setenv("DRIFTLINE_CLICKHOUSE_PORT", "1")
    monkeypatch.setenv("DRIFTLINE_CONTROL_GENESIS", made.genesis)
    monkeypatch.setenv("DRIFTLINE_CONTROL_KEY", key_file(tmp_path, "ann"))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def say(wire: MemoryWire, tmp_path: Path, capsys: Capsys) -> Say:
    """Return what runs a command line as somebody: exit code, stdout, stderr."""
    del wire

    def run(*words: str, by: str = "", reason: str = "because") -> tuple[int, str, str]:
        line = list(words)
        if reason:
            line += ["--reason", reason]
        for one in by.split():
            line += ["--key", key_file(tmp_path, one)]
        code = main(line)
        out, err = capsys.readouterr()
        return code, out, err

    return run
