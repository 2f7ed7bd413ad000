"""`driftline audit` over an export: what it says, what it remembers, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_logs import NOON_MS, WITNESS, Book, filled
from msgspec.structs import replace
from signed import command, key, plain, text, trust
from two_verifiers import spoilt

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.checkpoint import cosigned
from driftline.agents.audit.export import export
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord
from driftline.deploy.cli import main
from driftline.deploy.cli.audit_tail import _line
from driftline.deploy.control.people import key_rows
from driftline.schemas.control.trust import Revocation

Say = Callable[..., tuple[int, str, str]]
BOOK: Book = filled(25)
BOOK.decide(command("promote"), "ann", approvers=("bob",))
REVOCATION = command(
    "key-revoke", "", key=key("bob").keyid, compromised_since_ms=NOON_MS, expected_revision=1
)
BOOK.change_trust(REVOCATION, "root-1", "root-2")
GENESIS = ("--genesis", BOOK.pins.genesis)


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `driftline audit` beside an export in `log`; gives code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    export(tmp_path / "log", BOOK.records, BOOK.notes)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["audit", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_good_log_is_told_in_words(say: Say) -> None:
    """How much is verified and witnessed, what is not yet, what leans on a bad key, and what nobody can find."""
    code, out, err = say("verify", "--export", "log", "--signatures", *GENESIS)
    assert (code, err) == (0, "")
    for line in (
        "27 of 27 records of driftline.example/test are verified",
        "25 are witnessed by witness.example/1, last at 2027-01-15 08:00:25 UTC",
        "2 are signed by no witness yet, the first of 2027-01-15 08:00:25 UTC",
        "4 signatures in them hold",
        f"record 25 leans on key {key('bob').keyid[:16]}, which is not to be trusted since 2027-01-15 08:00:00 UTC",
        "Not found: an attacker who holds the log, its checkpoint key and every witness;",
    ):
        assert line in out
    assert "no record carries" not in out


@pytest.mark.parametrize("name", ["controller", "checkpoint", "witness"])
def test_a_stolen_key_that_signs_no_records_is_told(say: Say, name: str) -> None:
    """Where a key signs states or checkpoints, verify says that no record can show what it did."""
    book = filled(3)
    stolen, root = key(name).keyid, ("root-1", "root-2")
    beside = {f"{one}s": [text(one), text(f"new-{one}")] for one in ("controller", "checkpoint")}
    wider = {**plain(trust()), **beside}
    book.change_trust(command("trust-set", "", trust=wider, expected_revision=1), *root)
    asked = command("key-revoke", "", key=stolen, compromised_since_ms=NOON_MS, expected_revision=2)
    book.change_trust(asked, *root)
    export(Path("stolen"), book.records, book.notes)
    _, out, _ = say("verify", "--export", "stolen", "--genesis", book.pins.genesis)
    assert f"no record carries a signature of key {stolen[:16]} since 2027-01-15 08:00:00 UTC" in out
    assert "what a controller, the log or a witness signs lies elsewhere" in out


def test_a_bad_log_fails_with_the_record(say: Say, tmp_path: Path) -> None:
    """One byte that was changed ends with 1 and one line that names the record; --json has the same."""
    file = tmp_path / "log" / "records.ndjson"
    lines = file.read_bytes().split(b"\n")
    lines[11] = lines[11].replace(b"number 11", b"number 12")
    file.write_bytes(b"\n".join(lines))
    code, _, err = say("verify", "--export", "log", *GENESIS)
    assert code == 1
    assert err == "driftline: the audit fails: record 11: edited: record 12 names another record before it\n"
    code, out, _ = say("verify", "--export", "log", "--json", *GENESIS)
    found = json.loads(out)
    assert (code, found["ok"], found["records"], found["verified"]) == (1, False, 27, 11)
    assert (found["fault"]["kind"], found["fault"]["seq"]) == ("edited", 11)
    code, _, err = say("prove", "3", "--export", "log", *GENESIS)
    assert code == 1
    assert err.startswith("driftline: nothing of this audit is proved: record 11: edited")


@pytest.mark.parametrize("at_ms", [10**15, 9 * 10**18])
def test_times_of_no_calendar_are_numbers(say: Say, tmp_path: Path, at_ms: int) -> None:
    """A time that no calendar has, in the last record or below a witness's note, is told as its number."""
    records = [*BOOK.records[:26], spoilt(BOOK.records[26], decided_at_ms=at_ms, op=None, event="seen")]
    note = Note.parse(BOOK.notes[-1])
    late = cosigned(Note(note.text, note.signatures[:1]), WITNESS, key("witness"), 2**62)
    export(tmp_path / "late", records, [late.to_bytes()])
    code, out, err = say("verify", "--export", "late", *GENESIS)
    assert (code, err) == (0, "")
    assert f"last at {2**62 * 1000} ms" in out
    assert f"{at_ms} ms  seen" in _line(AuditRecord.from_bytes(records[-1]))


def test_a_line_of_a_record_is_one_that_a_terminal_shows() -> None:
    """What strangers wrote into a record moves no cursor and breaks no line."""
    record = AuditRecord.from_bytes(spoilt(BOOK.records[5], reasons=("a\x1b[2J\nb",)))
    assert _line(record).isprintable()


def test_what_was_verified_is_remembered(say: Say, tmp_path: Path) -> None:
    """A log that no witness signed is refused, but when it is accepted once; then it may only grow."""
    alone = [Note(note.text, note.signatures[:1]).to_bytes() for note in map(Note.parse, BOOK.notes)]
    export(tmp_path / "alone", BOOK.records, alone)
    export(tmp_path / "short", BOOK.records[:20], alone[:4])
    remembered = ("--remembered", "memory", *GENESIS)
    code, _, err = say("verify", "--export", "alone", *remembered)
    assert code == 1
    assert "nothing outside of the log vouches for it" in err
    assert say("verify", "--export", "alone", "--unwitnessed", *remembered)[0] == 0
    code, out, _ = say("verify", "--export", "alone", *remembered)
    assert code == 0
    assert "27 are as an earlier verification found them" in out
    code, _, err = say("verify", "--export", "short", *remembered)
    assert code == 1
    assert "records 20 to 26: rolled back: the checkpoint that was remembered" in err
    (tmp_path / "memory").write_text("nothing", encoding="utf-8")
    code, _, err = say("verify", "--export", "alone", *remembered)
    assert code == 1
    assert "what was remembered in memory cannot be read" in err


def test_a_proof_is_checked_by_keys_alone(say: Say, tmp_path: Path) -> None:
    """A proof that was printed holds with the keys of log and witness, and needs that of the log."""
    code, out, _ = say("prove", "7", "--export", "log", *GENESIS)
    assert code == 0
    (tmp_path / "seven").write_text(out, encoding="utf-8")
    believed = Believed.first(AuditRecord.from_bytes(BOOK.records[0]))
    log, witness = believed.logs[0].text, believed.witnesses[0].text
    code, out, _ = say("verify", "--proof", "seven", "--key", log, "--key", witness)
    assert (code, out) == (
        0,
        "record 7 lies in the checkpoint of 25 records, which witness.example/1 signed too\n",
    )
    code, out, _ = say("verify", "--proof", "seven", "--key", log, "--json")
    assert json.loads(json.loads(out)["record"])["seq"] == 7
    code, _, err = say("verify", "--proof", "seven", "--key", witness)
    assert code == 1
    assert "give the key of the log" in err
    code, _, err = say("prove", "26", "--export", "log", *GENESIS)
    assert code == 1
    assert "no checkpoint covers record 26 yet" in err


def test_the_keys_that_check_a_proof_are_listed(say: Say) -> None:
    """What `keys list` gives of the log and of a witness checks a proof as it is printed; a revoked key has nothing."""
    assert say("prove", "7", "--export", "log", "--output", "seven", *GENESIS)[0] == 0
    state = Believed.first(AuditRecord.from_bytes(BOOK.records[0])).state
    listed = {row["for"]: row["vkey"] for row in key_rows(state) if row["vkey"]}
    assert set(listed) == {"checkpoints", "witness"}
    code, out, _ = say(
        "verify", "--proof", "seven", "--key", listed["checkpoints"], "--key", listed["witness"]
    )
    assert (code, "which witness.example/1 signed too" in out) == (0, True)
    gone = Revocation(key=key("checkpoint").keyid, revoked_at_ms=NOON_MS)
    assert [row["for"] for row in key_rows(replace(state, revocations=(gone,))) if row["vkey"]] == ["witness"]


def test_what_is_missing_is_one_sentence(say: Say) -> None:
    """Without a pinned genesis, with a wrong one, and without an export, each is one line."""
    for words, sentence in (
        (("verify", "--export", "log"), "no genesis is pinned"),
        (("verify", "--export", "log", "--genesis", "abc"), "the genesis 'abc' is no digest"),
        (("verify", "--export", "log", "--genesis", "0" * 64), "record 0: re-chained"),
        (("export", "log"), "no local stack runs"),
        (("tail",), "no local stack runs"),
    ):
        code, _, err = say(*words)
        assert code == 1
        assert sentence in err
        assert err.count("\n") == 1
    assert say("verify", "--export", "nowhere")[0] == 2


def test_a_proof_is_never_written_over(say: Say, tmp_path: Path) -> None:
    """`prove --output` makes a file; one that is there already stays as it is, and the sentence says so."""
    words = ("prove", "3", "--export", "log", "--output", "proof", *GENESIS)
    assert say(*words)[0] == 0
    made = (tmp_path / "proof").read_bytes()
    assert made
    (tmp_path / "proof").write_bytes(b"mine")
    code, _, err = say(*words)
    assert (code, err) == (
        1,
        "driftline: proof is there already; a proof is never written over: name another\n",
    )
    assert (tmp_path / "proof").read_bytes() == b"mine"
