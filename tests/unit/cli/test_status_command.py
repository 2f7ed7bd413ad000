"""`driftline status` where something is down: JSON for programs on stdout, and why it ends with 1 on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from driftline.deploy.cli import main
from driftline.deploy.local import report as reports
from driftline.deploy.local.datadir import DataDirectory
from driftline.schemas.settings import Settings


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_a_stack_both_forms_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence on stderr names the folder and the command that starts one; stdout holds the JSON alone."""
    assert main(["status"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("driftline: no stack runs in ")
    assert said.err.endswith(": 'driftline up' starts one\n")
    assert main(["status", "--json"]) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["ok"], [f"driftline: {one}\n" for one in found["problems"]]) == (False, [said.err])
    assert err == said.err


def test_programs_get_one_sentence_of_several(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more is down stderr tells the first and how many more there are, in one line."""
    seen = reports.observe

    def observe(settings: Settings, directory: DataDirectory) -> reports.StatusReport:
        return msgspec.structs.replace(seen(settings, directory), problems=["drift is down", "so is kafka"])

    monkeypatch.setattr(reports, "observe", observe)
    assert main(["status", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["problems"] == ["drift is down", "so is kafka"]
    assert err == "driftline: drift is down (problem 1 of 2)\n"
    assert main(["status"]) == 1
    assert capsys.readouterr().err == "driftline: drift is down\ndriftline: so is kafka\n"
