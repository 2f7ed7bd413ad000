"""The commands and the Python of the tutorial and the how-to pages, as a reader types them, on one local stack."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import settle

from driftline.deploy.cli import main

pytestmark = pytest.mark.timeout(300)

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[Ss]ave (?:it|this) as `([\w.]+)`")
# What prepares the machine, and what the fixture does for the whole page.
NOT_HERE = ("make ", ". ", "driftline up", "driftline down", "sudo ")
QUICK = {
    "DRIFTLINE_WORKER_PUBLISH_SECONDS": "1",
    "DRIFTLINE_WORKER_CHECKPOINT_SECONDS": "1",
    "DRIFTLINE_WORKER_IDLE_SECONDS": "2",
}
Told = dict[str, str]


def driftline(folder: Path, *words: str) -> str:
    """Run a command in a process of its own; its stdout."""
    command = [sys.executable, "-m", "driftline.deploy.cli", *words]
    env = {**os.environ, **QUICK}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder with a stack that is up."""
    folder = tmp_path_factory.mktemp("reader")
    told = json.loads(driftline(folder, "up", "--detach", "--json"))
    kafka = next(part["address"] for part in told["components"] if part["name"] == "kafka")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", kafka)
        yield folder
    driftline(folder, "down")


def typed(page: Path, folder: Path, languages: tuple[str, ...] = ("sh", "python", "toml")) -> Told:
    """Do what the blocks of these languages say, from top to bottom; what each command printed.

    Files that the page tells the reader to save are saved; other Python is run in one go of its own.
    """
    text = page.read_text(encoding="utf-8")
    told: Told = {}
    names: dict[str, Any] = {}
    for block in BLOCK.finditer(text):
        language, body = block[1], block[2]
        if language not in languages:
            continue
        before = FILE.findall(text[: block.start()].rsplit("```", 1)[-1])
        if before and language in {"python", "toml"}:
            (folder / before[-1]).write_text(body, encoding="utf-8")
        elif language == "python":
            exec(compile(body, str(page), "exec"), names)  # noqa: S102 - the page's own lines
        elif language == "sh":
            for line in body.splitlines():
                if not line.startswith(NOT_HERE):
                    told[line] = as_it_ends(line)
    return told


def as_it_ends(line: str) -> str:
    """Run a line; what it prints once what the lines before it began has ended."""
    if " --run " in line:
        return run_soon(line)
    printed = [run(line)]

    def open_yet() -> list[str]:
        printed.append(run(line))
        return re.findall(r"^.*  open$", printed[-1], re.MULTILINE)

    # The last month closes when no row came for `worker.idle_seconds`.
    if line.endswith("windows churn --resolution 1M"):
        assert settle(open_yet, 60) == []
    return printed[-1]


def run_soon(line: str) -> str:
    """Run a line about windows that were just counted, as soon as they are archived."""
    command = [sys.executable, "-m", "driftline.deploy.cli", *shlex.split(line)[1:]]

    def not_yet() -> list[str]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return [done.stderr] if done.returncode else []

    assert settle(not_yet, 60) == []
    return run(line)


def run(line: str) -> str:
    """Run one line of a page in this process; what it printed. A command line must end with 0."""
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        runpy.run_path(words[1], run_name="__main__")
        return ""
    assert words[0] == "driftline", line
    target = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if target else words
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(words[1:])
    assert code == 0, line
    if target:
        Path(target).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()


@pytest.fixture(scope="module")
def tutorial(checkout: Path, home: Path) -> Told:
    """The tutorial, typed from top to bottom: what each command printed."""
    return typed(checkout / "docs" / "tutorial.md", home)


def test_the_tutorial_leads_to_an_advice(checkout: Path, tutorial: Told) -> None:
    """Typed from top to bottom the tutorial finds the drift of May, takes the labels, and advises to retrain."""
    page = (checkout / "docs" / "tutorial.md").read_text(encoding="utf-8")
    month = tutorial["driftline windows churn --resolution 1M"]
    drift = "  FAIL         drift      usage                psi            0.758  limit 0.100"
    assert drift in month
    assert drift in page
    assert "usage mean_sigma" in tutorial["driftline changes churn"]

    def not_yet() -> list[str]:
        word = str(json.loads(run("driftline advice churn --json").splitlines()[-1])["advice"])
        return [] if word == "retrain" else [word]

    assert settle(not_yet, 180) == []
    shown = run("driftline advice churn")
    (words,) = re.findall(
        r"driftline advice churn\n```\n\n```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL
    )
    for line in words.splitlines():
        assert line in shown


@pytest.mark.slow
@pytest.mark.usefixtures("tutorial")
@pytest.mark.parametrize("name", ["data-science", "application", "on-call", "changes"])
def test_the_pages_for_people_can_be_typed(checkout: Path, home: Path, name: str) -> None:
    """After the tutorial, every command and all Python of a how-to page goes well as it stands."""
    told = typed(checkout / "docs" / "how-to" / f"{name}.md", home)
    assert told


@pytest.mark.slow
@pytest.mark.usefixtures("tutorial")
def test_the_snippet_of_the_readme_runs(checkout: Path, home: Path) -> None:
    """The lines that the README shows to an application log a prediction and its label, as they stand."""
    typed(checkout / "README.md", home, ("python",))
    books = [json.loads(line) for line in run("driftline emitters churn --json").splitlines()]
    assert books
