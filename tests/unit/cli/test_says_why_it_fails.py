"""Commands that show what they found and end with 1: one line on stderr says what is wrong, with --json as without."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from driftline.deploy.cli import dead_letter, main
from driftline.deploy.local import examine
from driftline.deploy.local.check import Check, ok, warn
from driftline.schemas.settings import Settings
from driftline.streams.archive import office
from driftline.streams.archive.office import Retried

Capsys = pytest.CaptureFixture[str]
FAILED = Check(name="java", level="fail", found="none", mend="install one")


@pytest.fixture(params=[[], ["--json"]], ids=["shown", "json"])
def options(request: pytest.FixtureRequest) -> list[str]:
    """Give the options of both ways to print what was found."""
    found: list[str] = request.param
    return found


def said(words: Sequence[str], capsys: Capsys) -> tuple[int, str, str]:
    """Run a command line; return its exit code, stdout and stderr."""
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def test_doctor_names_what_failed(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """Which checks failed, of how many; what only warns ends with 0 and says nothing there."""
    checks = [ok("settings", "all allowed"), warn("kafka", "not running", "driftline up"), FAILED]
    monkeypatch.setattr(examine, "examine", lambda _env, _cwd: checks)
    code, out, err = said(["doctor", *options], capsys)
    assert (code, len(out.splitlines()) >= len(checks)) == (1, True)
    assert err == "driftline: 1 of 3 checks failed (java): mend the first, as it says\n"
    checks.append(Check(name="disk", level="fail", found="full", mend="free space"))
    assert said(["doctor", *options], capsys)[2].startswith("driftline: 2 of 4 checks failed (java, disk): ")
    del checks[2:]
    code, _, err = said(["doctor", *options], capsys)
    assert (code, err) == (0, "")


def test_a_retry_says_how_many_were_not_taken(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """Refused again or still waiting: how many of how many, and what to do; when all are taken nothing is said."""
    found = [Retried(sent=5, mended=2, refused=1, waiting=2), Retried(sent=2, mended=2, refused=0, waiting=0)]
    monkeypatch.setattr(dead_letter, "_settings", lambda _role: Settings())
    monkeypatch.setattr(office, "retry", lambda *_: found.pop(0))
    code, out, err = said(["dead-letter", "retry", "--all", *options], capsys)
    assert code == 1
    assert err.startswith("driftline: 3 of 5 dead letters were not taken: 'driftline dead-letter list' says ")
    assert err.count("\n") == 1
    if options:
        assert json.loads(out) == {"sent": 5, "mended": 2, "refused": 1, "waiting": 2}
    else:
        assert out == "sent 5: 2 taken, 1 refused again, 2 waiting\n"
    code, _, err = said(["dead-letter", "retry", "--all", *options], capsys)
    assert (code, err) == (0, "")
