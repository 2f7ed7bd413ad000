"""Commands of control that need no Kafka: keys, policies, a trust file to fill in; and the values that options take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from driftline.deploy.cli import main
from driftline.deploy.control.drafts import plan, seconds, step
from driftline.deploy.control.errors import AskingError
from driftline.schemas.control.command import Plan, Step

Capsys = pytest.CaptureFixture[str]


def test_keys_and_policies_need_no_kafka(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key files are made and listed, the packaged policy is checked and explained, a template is printed."""
    monkeypatch.chdir(tmp_path)
    assert main(["keys", "new", "a.pem", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert main(["keys", "list", "a.pem", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["public"] == made["public"]
    assert main(["keys", "new", "a.pem"]) == 1
    assert main(["policy", "show"]) == 0
    (tmp_path / "p.cedar").write_text(capsys.readouterr().out)
    assert main(["policy", "check", "p.cedar"]) == 0
    capsys.readouterr()
    assert main(["policy", "explain", "promote", "--role", "engineer", "--tier", "medium"]) == 0
    assert (
        capsys.readouterr().out
        == "denied by the rule 'medium-needs-one-approver'; allowed once 1 more approve\n"
    )
    assert main(["policy", "explain", "promte", "--role", "engineer"]) == 1
    assert "did you mean promote?" in capsys.readouterr().err
    assert main(["policy", "explain", "promote", "--role", "enginer"]) == 1
    assert "no role 'enginer'; did you mean engineer?" in capsys.readouterr().err
    assert main(["trust", "template"]) == 0
    assert 'installation = "' in capsys.readouterr().out
    assert main(["halt", "serving", "churn", "--reason", "x"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_spans_and_steps_are_read_as_people_write_them() -> None:
    """Seconds, minutes, hours, days; a share of callers with its time and rows; anything else is a sentence."""
    assert [seconds(text) for text in ("90", "1.5m", "2h", "1d")] == [90.0, 90.0, 7_200.0, 86_400.0]
    assert step("0.01%:1h") == Step(weight=1, bake_s=3_600.0)
    assert step("100%:0s:5") == Step(weight=10_000, min_rows=5)
    for wrong in ("", "-1s", "nan", "inf", "1w", "m"):
        with pytest.raises(AskingError, match="is no span of time"):
            seconds(wrong)
    for wrong in ("0%", "101%", "5", "5%:", "5%:1m:-1", "5%:1m:1:1", "0.001%"):
        with pytest.raises(AskingError, match=r"is no (step|span)"):
            step(wrong)


def test_a_plan_says_what_was_said() -> None:
    """Without a word there is none; a value outside its bounds is a sentence."""
    assert plan(bake_s=None, automatic_rollback=None) is None
    assert plan(bake_s=60.0, automatic_rollback=False) == Plan(bake_s=60.0, automatic_rollback=False)
    with pytest.raises(AskingError, match="this plan is not allowed"):
        plan(max_wait_s=0.0)
