"""Commands that ask for a change, against a controller in memory: what they sign, what they say, how they end."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgspec
import pytest
from memory_wire import MemoryWire, Say
from msgspec.structs import replace
from signed import INSTALLATION, key, model, policy, text, trust
from signed_package import package

from driftline.agents.control.trust import first_state
from driftline.agents.control.trust_file import written
from driftline.deploy.cli import main
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.trust import TrustState

Capsys = pytest.CaptureFixture[str]


def digest_in(out: str) -> str:
    """Return the digest that a command showed last."""
    return [line.split()[1] for line in out.splitlines() if line.strip().startswith("digest ")][-1]


def last(wire: MemoryWire) -> Command:
    """Return the command that was published last."""
    topic, value = wire.published[-1]
    assert topic == "deployment-control"
    return Command.from_bytes(Envelope.from_bytes(value).body)


def test_a_model_walks_its_path_by_commands(wire: MemoryWire, say: Say, tmp_path: Path) -> None:
    """Registered, validated, shadowed, a canary, promoted, rolled back: each command shows what came of it."""
    (tmp_path / "report").write_text("fine")
    code, out, _ = say("register", "churn", str(package(tmp_path, "2")))
    assert (code, "decided: revision 5 is so (audit record 7)" in out) == (0, True), out
    code, out, _ = say("validate", "churn", "2", str(tmp_path / "report"), by="val")
    assert code == 0, out
    code, out, _ = say("shadow", "churn", "2")
    assert (code, "  plan " in out) == (0, False), out
    code, out, _ = say("canary", "churn", "2", "--step", "5%:1m:100", "--step", "50%")
    assert "waits for 1 more to approve" in out
    assert "step 1    5% for 60 s and 100 rows at least" in out
    assert "plan      waits 259200 s at most, windows may take it back\n" in out
    code, out, _ = say("approve", digest_in(out)[:12], by="bob", reason="")
    assert (code, "approved (audit record" in out, "the command: decided, approved by bob" in out) == (
        0,
        True,
        True,
    )
    rollout = wire.office.state.rollout
    assert rollout is not None
    assert (rollout.weight, rollout.plan.steps[1].weight) == (500, 5_000)
    code, _, err = say("promote", "churn", "2")
    assert (code, err.count("\n")) == (1, 1)
    assert "rejected (precondition_failed): step 1 of 2 of the rollout has not passed yet" in err
    code, out, _ = say("rollback", "churn", by="oli")
    assert (code, wire.office.state.rollout) == (0, None)
    assert last(wire).model == model("1")


def test_a_dry_run_says_what_would_be_and_publishes_nothing(wire: MemoryWire, say: Say) -> None:
    """Allowed, waiting or refused: the words are the controller's, and the topic is as it was."""
    for line, by, said in (
        (("halt", "serving", "churn"), "bob", "would be: decided: revision 5 is so"),
        (("resume", "serving", "churn"), "oli", "is not halted"),
        (("halt", "serving", "churn"), "sue", "no rule of the policy allows it"),
    ):
        code, out, err = say(*line, "--dry-run", by=by)
        assert said in out + err
        assert code == (0 if out.count("would be") else 1)
    assert wire.published == []


def test_a_dry_run_does_not_say_how_long_a_command_would_wait(wire: MemoryWire, say: Say) -> None:
    """How long is a setting of the controller, which this command does not have; what is published says it."""
    line = ("forget", "churn", "order-1", "--dry-run")
    code, out, _ = say(*line, by="sue")
    assert (code, "would be: waits for 1 more to approve, until the limit of its tier: " in out) == (
        0,
        True,
    ), out
    code, out, _ = say(*line, "--json", by="sue")
    assert (code, json.loads(out)["outcome"]["until_ms"]) == (0, 0)
    code, out, _ = say(*line[:-1], "--json", by="sue")
    assert json.loads(out)["outcome"]["until_ms"] > wire.office.now_ms


def test_a_command_is_what_it_shows(wire: MemoryWire, say: Say) -> None:
    """Reason and ticket stand in it, it expects what is so, its id is of version 7, and its digest is the payload's."""
    code, out, _ = say(
        "halt", "serving", "churn", "--ticket", "OPS-7", by="oli", reason="nonsense\x1b[31m\nanswers"
    )
    command = last(wire)
    assert code == 0
    assert (command.reason, command.ticket, command.command_id[14]) == (
        "nonsense\x1b[31m\nanswers",
        "OPS-7",
        "7",
    )
    assert (command.audience, command.expires_at_ms - command.issued_at_ms) == (INSTALLATION, 900_000)
    assert "\x1b" not in out
    assert "reason    nonsense [31m answers" in out
    assert Envelope.from_bytes(wire.published[-1][1]).digest == digest_in(out)
    assert wire.office.state.halt is not None


def test_programs_read_one_line(wire: MemoryWire, say: Say) -> None:
    """With --json there is one object with the outcome, and a refusal still ends with 1 and says nothing on stderr."""
    code, out, err = say("halt", "serving", "churn", "--json", by="oli")
    made = json.loads(out)
    assert (code, err, made["outcome"]["event"], made["outcome"]["revision"], made["by"]) == (
        0,
        "",
        "effective",
        5,
        "oli",
    )
    code, out, err = say("resume", "rollout", "churn", "--json", by="oli")
    assert (code, json.loads(out)["outcome"]["code"]) == (1, "precondition_failed")
    assert err.startswith("driftline: rejected (precondition_failed): ")
    assert err.count("\n") == 1
    del wire


def test_what_waits_is_shown_and_voted_on(wire: MemoryWire, say: Say, capsys: Capsys) -> None:
    """`pending` shows it with how many lack; too short a digest is refused; after a denial nothing waits."""
    wire.office.registered("2")
    wire.catch_up()
    assert say("shadow", "churn", "2")[0] == 0
    code, out, _ = say("promote", "churn", "2")
    digest = digest_in(out)
    assert main(["pending"]) == 0
    shown = capsys.readouterr().out
    assert digest in shown
    assert "approved  by nobody; 1 more must" in shown
    assert main(["pending", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lacking"] == 1
    assert say("deny", digest[:4], by="bob")[0] == 1
    code, _, err = say("approve", digest, by="ann", reason="")
    assert (code, "rejected (forbidden): ann asked for it" in err) == (1, True)
    code, out, _ = say("deny", digest[:8], by="bob", reason="not now")
    assert (code, "denied" in out) == (0, True)
    assert main(["pending"]) == 0
    assert capsys.readouterr().out == "nothing waits\n"


def test_broken_glass_is_shown_until_it_is_reviewed(wire: MemoryWire, say: Say, capsys: Capsys) -> None:
    """`pending` names it, and an approval by another person reviews it."""
    wire.office.registered("2")
    wire.catch_up()
    code, _, err = say("promote", "churn", "2", "--break-glass", by="oli")
    assert (code, "denied by the rule 'medium-is-tried-before-it-is-promoted'" in err) == (1, True)
    wire.office.does("shadow", "ann", model=model("2"))
    wire.catch_up()
    code, out, _ = say("promote", "churn", "2", "--break-glass", by="oli")
    assert code == 0, out
    assert main(["pending"]) == 0
    assert "churn: oli broke the glass; to be reviewed until" in capsys.readouterr().out
    code, out, _ = say("approve", digest_in(out), by="cat", reason="")
    assert (code, "reviewed" in out) == (0, True)


def test_root_keys_set_trust_and_policy_and_revoke(wire: MemoryWire, say: Say, tmp_path: Path) -> None:
    """Two root keys do; one is refused; `keys list` shows the revoked key, and the vkey of the log's."""
    (tmp_path / "p.cedar").write_text(policy().text + "\n")
    assert "approvals_missing" in say("policy", "set", "p.cedar", by="root-1")[2]
    code, out, _ = say("policy", "set", "p.cedar", by="root-1 root-2")
    assert (code, "decided" in out) == (0, True)
    code, out, _ = say(
        "keys", "revoke", key("far").keyid, "--compromised-since", "2026-01-01", by="root-1 root-3"
    )
    assert code == 0, out
    assert last(wire).compromised_since_ms == 1_767_225_600_000
    (tmp_path / "trust.toml").write_text(written(first_state(trust(), "")))
    code, out, err = say("trust", "set", "trust.toml", by="root-1 root-2")
    assert (code, "was revoked and cannot come back" in err) == (1, True)
    (tmp_path / "trust.toml").write_text(
        written(first_state(trust(), "")).replace(text("far"), text("far-2"))
    )
    assert say("trust", "set", "trust.toml", by="root-1 root-2")[0] == 0
    assert wire.office.desk.history.now.ring.state.version == 4
    code, out, _ = say("keys", "list", "--json", reason="")
    rows = {row["keyid"]: row for row in map(json.loads, out.splitlines())}
    assert (rows[key("far").keyid]["state"], rows[key("far-2").keyid]["whose"]) == ("revoked", "far")
    assert rows[key("checkpoint").keyid]["vkey"].startswith(f"{trust().origin}+")
    code, out, _ = say("keys", "list", reason="")
    assert (code, rows[key("checkpoint").keyid]["vkey"] in out) == (0, True)


def test_what_holds_is_shown_as_what_sets_it(wire: MemoryWire, say: Say, tmp_path: Path) -> None:
    """The trust and the policy of the audit are printed to be changed and set; a question is asked of that policy."""
    strict = policy().text + 'forbid (principal, action == Action::"register", resource);\n'
    (tmp_path / "p.cedar").write_text(strict)
    register = ("policy", "explain", "register", "--role", "engineer", "--tier", "low")
    said = [say(*register, *more, reason="")[1] for more in ((), ("--policy", "p.cedar"), ("--in-force",))]
    assert said[0] == said[2] != said[1]
    assert say("policy", "set", "p.cedar", by="root-1 root-2")[0] == 0
    assert say(*register, "--in-force", reason="")[1] == said[1]
    assert say("policy", "show", "--in-force", reason="")[1] == strict
    assert say(*register, "--in-force", "--policy", "p.cedar", reason="")[0] == 2
    assert say("keys", "revoke", key("bob-2").keyid, by="root-1 root-3")[0] == 0
    code, out, _ = say("trust", "show", reason="")
    assert (code, out.startswith("# Version 3, with the policy "), f'# revoked: "{text("bob-2")}"' in out) == (
        0, True, True,
    )  # fmt: skip
    (tmp_path / "trust.toml").write_text(out)
    assert say("trust", "set", "trust.toml", by="root-1 root-2")[0] == 0
    held = wire.office.desk.history.now.ring.state
    assert held.trust == trust(persons=tuple(
        replace(one, keys=(text("bob"),)) if one.id == "bob" else one for one in trust().persons
    ))  # fmt: skip
    code, out, _ = say("trust", "show", "--json", reason="")
    assert msgspec.json.decode(out, type=TrustState) == held


def test_what_cannot_be_asked_is_one_sentence(wire: MemoryWire, say: Say, tmp_path: Path) -> None:
    """An unknown deployment or version, a strange key, two persons, no step, a wrong file: nothing is published."""
    (tmp_path / "junk").write_text("junk")
    for words, by, said in (
        (("halt", "serving", "chrun"), "oli", "there is no deployment 'chrun'"),
        (("promote", "churn", "9"), "", "churn knows no version '9'"),
        (("rollback", "churn"), "oli", "holds no previous champion"),
        (("halt", "serving", "churn"), "thief", "is nobody's in this installation"),
        (("halt", "serving", "churn"), "oli ann", "belong to ann and oli"),
        (("canary", "churn", "1", "--step", "half"), "", "'half' is no step"),
        (("canary", "churn", "1", "--step", "50%", "--step", "5%"), "", "must grow"),
        (("promote", "churn", "1", "--bake", "soon"), "", "'soon' is no span of time"),
        (("register", "churn", "."), "", "manifest.json"),
        (("policy", "set", "junk"), "", "the policy cannot be used"),
        (("trust", "set", "junk"), "", "is no TOML"),
        (("approve", "0123456789"), "bob", "no command waits whose digest begins with 0123456789"),
    ):
        code, _, err = say(*words, by=by)
        assert (code, err.count("\n"), said in err) == (1, 1, True), (words, err)
    code, _, err = say("keys", "revoke", "junk", by="root-1")
    assert (code, "'junk' is no key id; 64 hex digits as 'driftline keys list' prints them are" in err) == (
        2,
        True,
    )
    assert wire.published == []


def test_an_unbelievable_audit_stops_every_command(wire: MemoryWire, say: Say) -> None:
    """On an audit whose record was changed, or with another genesis, nothing is signed."""
    wire.audit[2] = wire.audit[2].replace(b'"val"', b'"vam"')
    code, _, err = say("halt", "serving", "churn", by="oli")
    assert (code, "the audit cannot be believed" in err) == (1, True)
    assert wire.published == []


def test_nobody_at_the_other_end_is_said(wire: MemoryWire, say: Say) -> None:
    """When the audit does not tell of a command in time, that is one sentence with its offset."""
    wire.is_deaf = True
    code, _, err = say("halt", "serving", "churn", "--timeout", "0.2", by="oli")
    assert (code, "nobody decided the command within 0.2 s (it lies at offset 0" in err) == (1, True)


def test_a_manifest_travels_whole(wire: MemoryWire, say: Say, tmp_path: Path) -> None:
    """The command carries the very bytes of the signed manifest, the model is named by its payload's digest."""
    path = package(tmp_path, "7", profile=None)
    code, _, err = say("register", "churn", str(path))
    assert (code, "names no reference profile" in err) == (1, True)
    assert say("register", "churn", str(path), "--profile", "ab" * 32)[0] == 0
    command = last(wire)
    assert command.manifest is not None
    assert command.model is not None
    assert base64.b64decode(command.manifest) == (path / "manifest.json").read_bytes()
    assert command.model.manifest == Envelope.from_bytes((path / "manifest.json").read_bytes()).digest


@pytest.mark.parametrize(
    "line", [("promote", "churn", "1"), ("rollback", "churn"), ("halt", "serving", "churn")]
)
def test_a_command_without_a_reason_is_typed_wrongly(
    wire: MemoryWire, say: Say, line: tuple[str, ...]
) -> None:
    """It ends with 2 before anything is read, and names the option."""
    code, _, err = say(*line, by="ann", reason="")
    assert (code, "Missing option '--reason'" in err) == (2, True)
    assert wire.published == []
