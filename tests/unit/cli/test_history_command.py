"""`driftline history` and `driftline inventory` over an export of an audit that a clerk wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clerked import KEYS, Room
from controlled import INSTANCES, PROFILE, package
from msgspec.structs import replace
from signed import command, model, signed

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.export import export
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.writer import resumed
from driftline.deploy.cli import main
from driftline.deploy.control.past import past_of
from driftline.deploy.control.stood import inventory_table

ONE, TWO = package("1").model, package("2").model


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room whose three instances serve version 1, then 2, and then 1 again; and its export."""
    monkeypatch.chdir(tmp_path)
    made = Room()
    made.registered("1", "2")
    made.beat()
    made.turn()
    for op, wanted in (("create", ONE), ("promote", TWO)):
        made.now_ms += 60_000
        made.beat()
        made.ask(op, "ann", model=wanted)  # type: ignore[arg-type]
        for outcome in ("prepared", "activated"):
            for name in INSTANCES:
                made.ack(name, outcome)
            made.turn()
    made.now_ms += 60_000
    made.beat()
    made.ask("promote", "ann", model=model("9"))
    made.ask("rollback", "oli", model=ONE)
    export(tmp_path / "log", made.audit, made.notes)
    monkeypatch.setenv("DRIFTLINE_CONTROL_GENESIS", digest(made.audit[0]))
    return made


def test_a_history_says_who_did_what(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change stands with its number in the audit, who asked, the revision, and why it was refused."""
    assert main(["history", "churn", "--export", "log", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    effects = [(row["op"], row["version"], row["by"]) for row in rows if row["event"] == "effective"]
    assert effects[-3:] == [("create", "1", "ann"), ("promote", "2", "ann"), ("rollback", "1", "oli")]
    refused = next(row for row in rows if row["event"] == "rejected")
    assert (refused["reject"], refused["version"]) == ("precondition_failed", "9")
    assert [row["audit_seq"] for row in rows] == sorted(row["audit_seq"] for row in rows)
    assert main(["history", "churn", "--export", "log"]) == 0
    assert "rollback 1 by oli revision 9" in capsys.readouterr().out
    assert room.state is not None


def test_a_denial_names_what_was_denied(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    """Op and version of the command, for the denial itself names its digest alone."""
    three = package("3", "high")
    room.ask("register", "ann", model=three.model, manifest=three.manifest, profile=PROFILE)
    room.ask("validate", "val", model=three.model, evidence="ef" * 32)
    asked = room.send("shadow", "ann", model=three.model)
    assert [one.event for one in room.turn()] == ["waits"]
    assert [one.event for one in room.ask("deny", "bob", deployment="", target=asked.digest)] == ["denied"]
    export(Path("denied"), room.audit, room.notes)
    assert main(["history", "churn", "--export", "denied", "--json"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (row["op"], row["target"]) == ("deny", {"op": "shadow", "version": "3"})
    assert main(["history", "churn", "--export", "denied"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.endswith("denied deny of shadow 3 by bob (forbidden) bob denied it")


def test_what_stood_at_a_time_is_said(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    """At a time the champion of then is named, with who put it there; before the first record there is nothing."""
    moments = {"1": "2027-01-15T08:01:30", "2": "2027-01-15T08:02:30"}
    for version, at in moments.items():
        assert main(["history", "churn", "--at", at, "--export", "log", "--json"]) == 0
        table = json.loads(capsys.readouterr().out)
        assert (table["champion"]["version"], table["champion"]["by"]) == (version, "ann")
        assert table["standing"] == "applied"
    assert main(["history", "churn", "--at", "2026-01-01", "--export", "log"]) == 1
    assert "the audit tells of nothing before 2027-01-15 08:00:00 UTC" in capsys.readouterr().err
    assert main(["history", "fraud", "--export", "log"]) == 1
    assert "tells of nothing in 'fraud'" in capsys.readouterr().err
    assert room.state is not None


def test_an_inventory_says_whose_it_is(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    """Owner, oversight, validation and instances stand beside what serves; a table and lines say the same."""
    assert main(["inventory", "--export", "log", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["owner"], table["oversight"], table["tier"], table["purpose"]) == (
        "Ana",
        "Bo",
        "low",
        "a test",
    )
    assert table["champion"]["version"] == "1"
    assert (table["validated"]["by"], table["instances"]) == ("val", list(INSTANCES))
    assert table["next_review"].startswith("2029-01-1")
    assert main(["inventory", "--export", "log"]) == 0
    head, line = capsys.readouterr().out.splitlines()[:2]
    assert line[head.index("purpose") :].startswith("a test")
    assert room.state is not None


def test_an_inventory_says_whose_a_deployment_is_before_anything_serves(room: Room) -> None:
    """Of one without a champion it is the version that was registered last."""
    past = past_of(room.audit, room.notes, digest(room.audit[0]))
    state = past.ledger.desk.states["churn"]
    table = inventory_table(past, replace(state, champion=None))
    assert (table["champion"], table["owner"], table["purpose"]) == (None, "Ana", "a test")


def test_an_audit_that_was_changed_has_no_history(
    room: Room, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed record is said, and nothing is shown."""
    changed = [one.replace(b'"churn"', b'"chorn"') if at == 3 else one for at, one in enumerate(room.audit)]
    export(tmp_path / "changed", changed, room.notes)
    for words in (["history", "churn"], ["inventory"]):
        assert main([*words, "--export", "changed"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("driftline: the audit cannot be believed: record 3")


def test_a_name_that_nobody_signed_is_found(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that names another person than who signed, below a checkpoint: --signatures names its place."""
    false = next(one for one in map(AuditRecord.from_bytes, room.audit) if one.event == "rejected")
    chain, forged = Chain(digest(room.audit[0])), list[bytes]()
    for record in map(AuditRecord.from_bytes, room.audit):
        actor = "bob" if record.seq == false.seq else record.actor
        forged.append(replace(record, prev_hash=chain.head, actor=actor).to_bytes())
        chain.take(forged[-1])
    export(Path("forged"), forged, [resumed(chain).checkpoint(KEYS.checkpoints).to_bytes()])
    for words in (["history", "churn"], ["history", "churn", "--at", "2030-01-01"], ["inventory"]):
        assert main([*words, "--export", "forged"]) == 0
        assert main([*words, "--export", "log", "--signatures"]) == 0
        assert main([*words, "--export", "forged", "--signatures"]) == 1
        said = capsys.readouterr().err
        assert f"record {false.seq}" in said
        assert "names bob as who asked" in said


def test_an_end_that_no_controller_signed_is_told_to_nobody(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may write the topic adds a revision, and one that is rubbish: it is said, and nothing is shown."""
    moved = next(one for one in map(AuditRecord.from_bytes, room.audit[::-1]) if one.event == "moved")
    for false in (moved, replace(moved, event="denied", detail={"target": {"a": 1}})):
        added = replace(false, seq=len(room.audit), prev_hash=digest(room.audit[-1])).to_bytes()
        export(Path(f"added-{false.event}"), [*room.audit, added], room.notes)
    for words in (
        ["history", "churn", "--export", "added-moved"],
        ["history", "churn", "--at", "2030-01-01", "--export", "added-moved"],
        ["inventory", "--export", "added-moved"],
        ["history", "churn", "--export", "added-denied"],
    ):
        assert main(words) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(
            "driftline: the audit has 30 records, and no controller signed the last 1:"
        )
        assert captured.err.count("\n") == 1


def test_the_end_may_be_signed_by_a_checkpoint_that_came_after_the_others_were_read(room: Room) -> None:
    """A controller writes on while the audit is read: the checkpoints are read once more before anything is doubted."""
    asked: list[int] = []

    def again() -> list[bytes]:
        asked.append(1)
        return room.notes

    held = past_of(room.audit, room.notes[:-1], digest(room.audit[0]), every_note=again)
    assert (held.ledger.log.size, asked) == (len(room.audit), [1])


@pytest.mark.parametrize("manifest", ["", "%%%", "e30=", None])
def test_an_inventory_says_nothing_of_a_manifest_that_is_none(room: Room, manifest: str | None) -> None:
    """A register whose manifest cannot be read, as a stolen controller key may tell of one, has no owner."""
    past = past_of(room.audit, room.notes, digest(room.audit[0]))
    record = past.registers["churn", "1"]
    false = signed(command("register", model=ONE, manifest=manifest, profile="cd" * 32), "ann")
    past.registers["churn", "1"] = replace(record, envelope=false.to_bytes().decode())
    assert inventory_table(past, past.ledger.desk.states["churn"])["owner"] is None
    past.registers["churn", "1"] = replace(record, envelope="{}")
    assert inventory_table(past, past.ledger.desk.states["churn"])["owner"] is None
