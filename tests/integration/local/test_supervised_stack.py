"""`driftline up` and what it owns: nothing is left behind, whatever ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest

from driftline.deploy.local.ports import free_port
from driftline.schemas.settings import Settings, producer_config

CLI = [sys.executable, "-m", "driftline.deploy.cli"]
WAIT_SECONDS = 180.0


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition, and fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Place:
    """A directory in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [*CLI, *words],
            cwd=self.folder,
            env={**self.env, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, *words: str) -> str:
        """Start the stack in the background, and give what it says."""
        done = self.run("up", "--detach", *words)
        assert done.returncode == 0, done.stderr + self.logs()
        return done.stdout

    def state(self) -> dict[str, Any]:
        """Read the state file."""
        found: dict[str, Any] = json.loads((self.folder / ".driftline" / "stack.json").read_text())
        return found

    def component(self, name: str) -> dict[str, Any]:
        """Return one component of the state file."""
        found: dict[str, Any] = next(each for each in self.state()["components"] if each["name"] == name)
        return found

    def processes(self) -> list[int]:
        """Return every living process that was started for this place, found by its working directory or words."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline", "environ", "status", "cwd"]):
            words = " ".join(process.info["cmdline"] or [])
            below = str(process.info["cwd"] or "").startswith(str(self.folder))
            ended = process.info["status"] == psutil.STATUS_ZOMBIE
            if (str(self.folder) in words or below) and not ended and process.pid != os.getpid():
                found.append(process.pid)
        return found

    def logs(self) -> str:
        """Return the ends of the logs."""
        return "".join(
            f"\n== {log.name}\n{log.read_text()[-1500:]}"
            for log in (self.folder / ".driftline" / "logs").glob("*.log")
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a directory of its own, and leave no process of it."""
    where = Place(tmp_path)
    yield where
    where.run("down")
    for pid in where.processes():
        os.kill(pid, signal.SIGKILL)


def test_up_and_down_leave_no_process(place: Place) -> None:
    """After `up --detach` all runs, after `down` no process is left, data survive to the next `up`, and no two run.

    A second `up`, detached or not, is one sentence and exit code 1, and the first goes on.
    """
    place.up("--no-workers")
    assert len(place.processes()) == 3
    status = place.run("status", "--json")
    report = json.loads(status.stdout)
    assert status.returncode == 0, status.stderr
    assert report["ok"]
    assert {part["name"] for part in report["components"]} == {"kafka", "clickhouse"}
    assert report["rows"]["schema_migrations"] > 0
    told = place.run("doctor", "--json")
    assert told.returncode == 0, told.stdout
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert {"topics", "migrations", "clock"} <= {check["name"] for check in found if check["level"] == "ok"}
    first = place.state()
    assert place.run("down").returncode == 0
    assert place.processes() == []
    assert place.run("status").returncode == 1
    place.up("--no-workers")
    before = place.state()
    assert before["bootstrap"] == first["bootstrap"]
    for words in (["up"], ["up", "--detach"]):
        second = place.run(*words)
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert "already" in second.stderr
    assert place.state() == before
    assert place.run("status").returncode == 0


def test_what_is_killed_is_started_again_and_ends_with_its_supervisor(place: Place) -> None:
    """After kill -9 of all: each comes back on its address, status counts the restart, and the board shows figures.

    Once `up` returns all answer. After kill -9 of the supervisor all ends within 5 s, and `up` then recovers.
    """
    said = place.up()
    before = {each["name"]: each for each in place.state()["components"]}
    assert {name: each["phase"] for name, each in before.items() if each["phase"] != "running"} == {}
    assert {"kafka", "clickhouse", "drift", "accuracy", "alerts", "archive", "board"} == set(before)
    assert before["board"]["address"] in said
    for component in before.values():
        os.kill(component["pid"], signal.SIGKILL)

    def is_back(name: str) -> bool:
        now = place.component(name)
        return now["restarts"] > before[name]["restarts"] and now["phase"] == "running"

    for name, held in before.items():
        until(lambda name=name: is_back(name), WAIT_SECONDS, f"{name} did not come back")  # type: ignore[misc]
        assert place.component(name)["pid"] != held["pid"]
        assert place.component(name)["address"] == held["address"]
    # Prometheus goes on finding the workers where it was told at the start.
    targets = json.loads((place.folder / ".driftline" / "targets.json").read_text())
    assert {one["labels"]["role"] for one in targets} == {"drift", "accuracy", "alerts", "archive"}
    for one in targets:
        until(lambda one=one: answers(one["targets"][0]), WAIT_SECONDS, f"no metrics of {one}")  # type: ignore[misc]
    asked = urllib.request.Request(  # noqa: S310 - an address of this machine
        before["board"]["address"] + "api/choices/fleet",
        data=b'{"from": 0, "to": 1}',
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - as above
        assert json.load(answer)["choices"] == {"deployment": [], "resolution": []}
    os.kill(place.state()["pid"], signal.SIGKILL)
    until(lambda: place.processes() == [], 5.0, "processes outlived their supervisor")
    told = place.run("status")
    assert told.returncode == 1
    assert "was killed" in told.stderr
    place.up("--no-workers")
    assert place.run("status").returncode == 0


def answers(address: str) -> bool:
    """Say whether somebody serves metrics there."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return b"process_start_time_seconds" in connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()


def test_a_port_in_use_is_one_sentence(place: Place) -> None:
    """A chosen port that another program holds is named, and nothing is left running."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for option in ("--kafka-port", "--clickhouse-port"):
            told = place.run("up", "--detach", option, str(port))
            assert told.returncode == 1
            assert f"the port {port} on 127.0.0.1 is in use" in told.stderr
            assert option in told.stderr
            assert told.stderr.count("\n") == 1
    assert place.processes() == []


def test_data_of_a_newer_version_are_not_touched(place: Place) -> None:
    """A data directory that a newer Kafka wrote is one sentence, and stays as it is."""
    (place.folder / ".driftline").mkdir()
    file = place.folder / ".driftline" / "data.json"
    file.write_text(json.dumps({"format": 1, "cluster_id": "A" * 22, "kafka": "99.0.0"}))
    told = place.run("up", "--detach")
    assert told.returncode == 1
    assert "was written by Kafka 99.0.0" in told.stderr
    assert json.loads(file.read_text())["kafka"] == "99.0.0"


def test_half_formatted_data_are_formatted_again(place: Place) -> None:
    """A format that was cut short leaves no obstacle: no record was ever there."""
    data = place.folder / ".driftline" / "kafka" / "data" / "__cluster_metadata-0"
    data.mkdir(parents=True)
    (data / "bootstrap.checkpoint").write_bytes(b"half")
    place.up("--no-workers")


def test_the_foreground_stops_on_interrupt(place: Place) -> None:
    """`up` listens on the chosen ports, and Ctrl-C ends it in order: exit code 0 and no process left."""
    kafka = free_port(set())
    clickhouse = free_port({kafka})
    words = ["up", "--no-workers", "--kafka-port", str(kafka), "--clickhouse-port", str(clickhouse)]
    running = subprocess.Popen(
        [*CLI, *words], cwd=place.folder, env=place.env, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    with running.stdout:
        lines = iter(running.stdout.readline, "")
        assert any("Ctrl-C" in line for line in lines)
        assert place.state()["bootstrap"] == f"127.0.0.1:{kafka}"
        assert place.state()["clickhouse_port"] == clickhouse
        running.send_signal(signal.SIGINT)
        assert running.wait(WAIT_SECONDS) == 0
    assert place.processes() == []
    assert place.state()["phase"] == "stopped"


def test_outside_parts_are_only_checked(place: Place, stack: object, lane: Settings) -> None:
    """With Kafka and ClickHouse outside, `up` starts neither, and its topics and tables are made there."""
    del stack
    given = {
        "DRIFTLINE_LOCAL_KAFKA": "outside",
        "DRIFTLINE_LOCAL_CLICKHOUSE": "outside",
        "DRIFTLINE_KAFKA_BOOTSTRAP": str(producer_config(lane.kafka)["bootstrap.servers"]),
        "DRIFTLINE_KAFKA_TOPIC_PREFIX": lane.kafka.topic_prefix,
        "DRIFTLINE_CLICKHOUSE_PORT": str(lane.clickhouse.port),
        "DRIFTLINE_CLICKHOUSE_DATABASE": lane.clickhouse.database,
    }
    done = place.run("up", "--detach", "--no-workers", **given)
    assert done.returncode == 0, done.stderr
    assert {each["phase"] for each in place.state()["components"]} == {"outside"}
    assert len(place.processes()) == 1
    status = place.run("status", "--json", **given)
    assert json.loads(status.stdout)["ok"], status.stdout


def test_an_outside_part_that_is_away_is_one_sentence(place: Place) -> None:
    """An outside Kafka that does not answer is named."""
    away = f"127.0.0.1:{free_port(set())}"
    told = place.run("up", "--detach", DRIFTLINE_LOCAL_KAFKA="outside", DRIFTLINE_KAFKA_BOOTSTRAP=away)
    assert told.returncode == 1
    assert away in told.stderr
    assert place.processes() == []
