"""Secrets lie in their files and nowhere else: no argument, variable, log, error, dump or answer holds one."""

from __future__ import annotations

import base64
import os
import signal
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from real_stack import TestStack

CLI = [sys.executable, "-m", "driftline.deploy.cli"]
HOLDS = ("server.properties",)
"""Files beside those of `access` that need a secret, of mode 0600 like them."""


def secrets_of(access: Path) -> dict[str, str]:
    """Each secret of a stack → what it is; as it is, and as HTTP carries it."""
    found = {
        (access / "broker.password").read_text(): "the broker's",
        (access / "board.token").read_text(): "the board's",
    }
    for file in access.glob("*.toml"):
        for section, fields in tomllib.loads(file.read_text()).items():
            for name, value in fields.items():
                if "password" in name:
                    found[value] = f"{file.name}: {section}.{name}"
    for file in access.glob("*.pem"):
        text = file.read_text()
        if "PRIVATE KEY" in text:
            found[text.splitlines()[1]] = f"the key of {file.name}"
    return found | {base64.b64encode(one.encode()).decode(): what for one, what in found.items()}


def seen_in(text: bytes, secrets: dict[str, str]) -> list[str]:
    """Which secrets stand in a text."""
    return [what for secret, what in secrets.items() if secret.encode() in text]


def files_with(root: Path, secrets: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Files below a data directory that hold secrets, but for those of `access`."""
    for path in root.rglob("*"):
        # Indexes of Kafka's segments are offsets alone, and 10 MB of nothing each.
        if not path.is_file() or path.is_relative_to(root / "access") or path.suffix.endswith("index"):
            continue
        found = seen_in(path.read_bytes(), secrets)
        if found:
            yield path.name, found


def told_to_processes() -> dict[str, bytes]:
    """Arguments and variables of every process that may be looked at."""
    told = {}
    for process in psutil.process_iter():
        for name in ("cmdline", "environ"):
            try:
                told[f"{process.pid} {name}"] = Path(f"/proc/{process.pid}/{name}").read_bytes()
            except OSError:
                continue
    return told


def test_secrets_of_servers_lie_in_their_files(secured: TestStack) -> None:
    """Of Kafka and ClickHouse alone: files are private, and no other file or process was told a secret."""
    root, secrets = secured.directory.root, secrets_of(secured.directory.access)
    assert len(secrets) > 40
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secured.directory.access.iterdir()} == {0o600}
    assert {name for name, _ in files_with(root, secrets)} <= set(HOLDS)
    assert stat.S_IMODE((root / "kafka" / "server.properties").stat().st_mode) == 0o600
    told = {name: seen_in(text, secrets) for name, text in told_to_processes().items()}
    assert {name: found for name, found in told.items() if found} == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_whole_stack_tells_no_secret(tmp_path: Path) -> None:
    """From the start to the stop with workers, commands, errors and a dump of the JVM's threads."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
    said, told, done = [], dict[str, bytes](), threading.Event()

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        ended = subprocess.run(
            [*CLI, *words], cwd=tmp_path, env={**env, **more}, capture_output=True, check=False
        )
        said.append(ended.stdout + ended.stderr)
        return ended

    def look() -> None:
        while not done.wait(0.02):
            told.update(told_to_processes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        started = run("up", "--secure", "--detach")
        assert started.returncode == 0, started.stderr.decode()
        access = tmp_path / ".driftline" / "access"
        secrets = secrets_of(access)
        assert run("status", "--json").returncode == 0
        assert run("doctor", "--json").returncode == 0
        # Errors: a user who may not, a password that is wrong, a setting that is.
        file = str(access / "emitter.toml")
        assert run("deployment", "list", DRIFTLINE_CONFIG=file).returncode != 0
        wrong = run("windows", "churn", DRIFTLINE_CLICKHOUSE_PASSWORD="x" * 9)
        assert wrong.returncode != 0
        port = run("windows", "churn", DRIFTLINE_CONFIG=file, DRIFTLINE_KAFKA_PARTITIONS="none")
        assert port.returncode != 0
        for process in psutil.process_iter():
            if "kafka.Kafka" in b" ".join(
                told.get(f"{process.pid} cmdline", b"").split(b"\0")
            ).decode() and str(tmp_path) in str(process.cwd()):
                process.send_signal(signal.SIGQUIT)
    finally:
        run("down")
        done.set()
        looking.join()
    assert not [seen_in(text, secrets) for text in said if seen_in(text, secrets)]
    assert {name: seen_in(text, secrets) for name, text in told.items() if seen_in(text, secrets)} == {}
    assert {name for name, _ in files_with(tmp_path / ".driftline", secrets)} <= set(HOLDS)
