"""`driftline serve` before it answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from driftline.deploy.cli.serve import command
from driftline.deploy.serving import start, warned


@pytest.mark.parametrize(("given", "then"), [(None, "1"), ("4", "4")])
def test_models_answer_with_one_thread_unless_told_otherwise(
    given: str | None, then: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the agent starts, OpenMP is bound to one thread already; a number in the environment stands."""
    monkeypatch.setenv("OMP_NUM_THREADS", given or "")
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    found: list[str | None] = []

    def run(*_: object) -> int:
        found.append(os.environ.get("OMP_NUM_THREADS"))
        return 0

    monkeypatch.setattr(start, "run", run)
    monkeypatch.setattr(warned, "warn_once", lambda: None)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, [], catch_exceptions=False)
    assert (done.exit_code, found) == (0, [then])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--package", "p", "--deployment", "a/b", "--by", "k"],
            "'a/b' is no name of a deployment: it has a \"/\"",
        ),
        (["--package", "p", "--deployment", " a", "--by", "k"], "a space at an end"),
        (["--upstream", "notaurl"], "'notaurl' is no address of a v2 server: give one as http://"),
        (["--upstream", "ftp://a"], "is no address of a v2 server"),
    ],
)
def test_what_could_serve_nothing_is_refused_in_words(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded: predictions of such a deployment could not be told of, and no such server be asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    (tmp_path / "k").write_text("")
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
