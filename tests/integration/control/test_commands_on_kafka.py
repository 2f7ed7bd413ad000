"""Commands over a real Kafka: the first record of the audit, the broker's clock, what nobody decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from control_thread import deciding
from memory_wire import key_file
from real_stack import TestStack
from signed import command, model, plain, signed, trust
from signed_package import package

from driftline.deploy.cli import main
from driftline.deploy.local.compacted import produce
from driftline.schemas.settings import Settings

Capsys = pytest.CaptureFixture[str]


def trust_file(folder: Path) -> str:
    """Write the tests' trust as a file; return its path."""
    whole = plain(trust())
    lines = [f"{name} = {json.dumps(value)}" for name, value in whole.items() if not isinstance(value, dict)
             and not (value and isinstance(value[0], dict))]  # fmt: skip
    lines += ["[root]", *(f"{name} = {json.dumps(value)}" for name, value in whole["root"].items())]
    for table in ("persons", "agents", "witnesses"):
        for one in whole[table]:
            lines += [f"[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in one.items())]
    (folder / "trust.toml").write_text("\n".join(lines), encoding="utf-8")
    return str(folder / "trust.toml")


@pytest.fixture
def begun(
    stack: TestStack, lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> Settings:
    """Begin an installation in a lane of its own."""
    for name, value in stack.env_of(lane).items():
        if name.startswith("DRIFTLINE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_CONTROL_KEY", key_file(tmp_path, "ann"))
    assert main(["trust", "init", trust_file(tmp_path), "--json"]) == 0
    monkeypatch.setenv("DRIFTLINE_CONTROL_GENESIS", json.loads(capsys.readouterr().out)["genesis"])
    return lane


def test_an_installation_begins_once(begun: Settings, tmp_path: Path, capsys: Capsys) -> None:
    """A second first record is refused."""
    del begun
    assert main(["trust", "init", trust_file(tmp_path)]) == 1
    assert "has a first record already" in capsys.readouterr().err


def test_commands_are_decided_and_told_of(begun: Settings, tmp_path: Path, capsys: Capsys) -> None:
    """A model is registered and validated; an old command is expired by the broker's time; junk hides nothing."""
    made = package(tmp_path, "1", tier="low")
    (tmp_path / "report").write_text("fine", encoding="utf-8")
    why = ["--reason", "because"]
    with deciding(begun) as desk:
        produce(begun.kafka, "deployment-control", b"", b"junk")
        old = command("register", at_ms=1, model=model("1"), manifest="e30=", profile="cd" * 32)
        produce(begun.kafka, "deployment-control", b"", signed(old, "ann").to_bytes())
        assert main(["register", "churn", str(made), *why]) == 0
        assert "decided: revision 1 is so (audit record 3)" in capsys.readouterr().out
        assert main(["validate", "churn", "1", "report", *why]) == 1
        assert "rejected (forbidden)" in capsys.readouterr().err
        assert main(["validate", "churn", "1", "report", *why, "--key", key_file(tmp_path, "val")]) == 0
        assert desk.states["churn"].versions[0].stage == "validated"
    capsys.readouterr()
    assert main(["audit", "tail", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["event"], one.get("reject")) for one in events] == [
        ("genesis", None), ("unread", "malformed"), ("rejected", "expired"), ("effective", None),
        ("rejected", "forbidden"), ("effective", None),
    ]  # fmt: skip
    assert main(["create", "churn", "1", *why, "--timeout", "0.5"]) == 1
    assert "nobody decided the command within 0.5 s" in capsys.readouterr().err
