"""Both verifiers are as strict: what a change of trust names, who signed it, what is text and what a number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from audit_logs import NOON_MS, Book
from signed import command, key, plain, signed, text, trust
from two_verifiers import both, claimed

from driftline.agents.audit.export import export
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.signing import sign
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import COMMAND, Envelope

pytestmark = pytest.mark.needs("go", "golang-go")

More = Callable[[list[bytes]], None]
ROOTS = ("root-1", "root-2")


def asked(op: Any = "policy-set", **fields: Any) -> Command:
    """Return what roots may ask for after all that the log holds."""
    given = {"policy": "permit(principal, action, resource);"} if op == "policy-set" else {}
    return command(op, "", **({"expected_revision": 4} | given | fields))


def says(op: Any = "policy-set", over: dict[str, Any] | None = None, **fields: Any) -> More:
    """Claim a command that the roots signed; `over` are fields of its record."""
    return lambda records: claimed(records, signed(asked(op, **fields), *ROOTS), op, **(over or {}))


def spelt(old: str, new: str) -> More:
    """Claim a change, and write it otherwise."""

    def more(records: list[bytes]) -> None:
        says()(records)
        assert old in records[-1].decode()
        records[-1] = records[-1].decode().replace(old, new, 1).encode()

    return more


def seen(old: str, new: str) -> More:
    """Write a record that changes nothing otherwise."""

    def more(records: list[bytes]) -> None:
        made = AuditRecord(
            seq=len(records), prev_hash=digest(records[-1]), event="seen", decided_at_ms=NOON_MS, actor="ann"
        )
        assert old in made.to_bytes().decode()
        records.append(made.to_bytes().decode().replace(old, new, 1).encode())

    return more


def signed_by(change: Callable[[Envelope], Envelope]) -> More:
    """Claim a change whose signatures are other ones."""
    return lambda records: claimed(records, change(signed(asked(), *ROOTS)), "policy-set")


def twice(envelope: Envelope) -> Envelope:
    """One root signs twice."""
    return msgspec.structs.replace(envelope, signatures=envelope.signatures[:1] * 2)


def falsely(envelope: Envelope) -> Envelope:
    """The third root did not sign that."""
    other = signed(asked(), "root-3").signatures
    return msgspec.structs.replace(envelope, signatures=(*envelope.signatures, *other))


def by_a_stranger(envelope: Envelope) -> Envelope:
    """Somebody signed too whom nobody knows."""
    other = signed(asked(), "stranger").signatures
    return msgspec.structs.replace(envelope, signatures=(*envelope.signatures, *other))


def half_a_pair(records: list[bytes]) -> None:
    """The roots signed what is no text."""
    said = json.loads(asked().to_bytes())
    good = sign(COMMAND, json.dumps(said).encode(), *map(key, ROOTS))
    claimed(records, good, "policy-set")
    bad = sign(COMMAND, json.dumps(said | {"reason": "\ud800"}).encode(), *map(key, ROOTS))
    records[-1] = records[-1].replace(good.payload.encode(), bad.payload.encode())
    for one, other in zip(good.signatures, bad.signatures, strict=True):
        records[-1] = records[-1].replace(one.sig.encode(), other.sig.encode())
    records[-1] = records[-1].replace(good.digest.encode(), bad.digest.encode())


def taken_twice(records: list[bytes]) -> None:
    """A key is revoked, and once more."""
    says("key-revoke", key=key("bob").keyid)(records)
    says("key-revoke", key=key("bob").keyid, expected_revision=5)(records)


def later() -> dict[str, Any]:
    """A trust that may follow."""
    found: dict[str, Any] = plain(trust(persons=trust().persons[:-1], checkpoints=(text("checkpoint-3"),)))
    return found


def lacking() -> dict[str, Any]:
    """The same, with something left to be thought of."""
    found = later()
    return found | {"persons": [{k: v for k, v in one.items() if k != "kind"} for one in found["persons"]]}


GOOD: dict[str, More] = {
    "a policy": says(),
    "a trust": says("trust-set", trust=later()),
    "a key": says("key-revoke", key=key("bob").keyid),
    "a key that was stolen": says("key-revoke", key=key("bob").keyid, compromised_since_ms=NOON_MS),
    "another topic": says("log-reset", target="t", expected_revision=None),
    "a stranger beside": signed_by(by_a_stranger),
    "a pair": seen('"ann"', r'"\ud83d\ude00"'),
    "a pair in capitals": seen('"ann"', r'"\uD83D\uDE00"'),
    "a backslash": seen('"ann"', r'"\\ud800"'),
    "two backslashes": seen('"ann"', r'"\\\\ud800"'),
    "the last ms": seen(str(NOON_MS), str((1 << 63) - 1)),
    "what means nothing here": seen('"actor":"ann"', '"envelope":5,"trust":7,"command":[]'),
}
BAD: dict[str, More] = {
    "another trust": says(over={"trust": "0" * 64}),
    "no trust": says(over={"trust": None}),
    "another policy": says(over={"policy": "0" * 64}),
    "no policy": says(over={"policy": None}),
    "another trust of a trust": says("trust-set", over={"trust": "0" * 64}, trust=later()),
    "another trust of a key": says("key-revoke", over={"trust": "0" * 64}, key=key("bob").keyid),
    "another trust of a topic": says(
        "log-reset", over={"trust": "0" * 64}, target="t", expected_revision=None),
    "a trust that is none": spelt('"trust":"', '"trust":5,"detail":{},"x":"'),
    "a key that nobody has": says("key-revoke", key=key("stranger").keyid),
    "no key": says("key-revoke", key="0" * 64),
    "a key that is gone": taken_twice,
    "a revoked key again": says("trust-set", trust=plain(trust(checkpoints=(text("checkpoint-3"),)))),
    "a policy that is none": spelt('"policy":"', '"policy":["a"],"x":"'),
    "a policy of nothing": spelt('"policy":"', '"policy":null,"x":"'),
    "an envelope that is none": spelt('"envelope":"', '"envelope":{},"x":"'),
    "a trust that leaves out": says("trust-set", trust=lacking()),
    "a root twice": signed_by(twice),
    "a root that did not": signed_by(falsely),
    "half a pair": seen('"ann"', r'"\ud83d"'),
    "the other half": seen('"ann"', r'"\uDE00"'),
    "half a pair and more": seen('"ann"', r'"\ud83dx\ude00"'),
    "half a pair and a letter": seen('"ann"', r'"\ud83d\u0041"'),
    "two first halves": seen('"ann"', r'"\ud83d\ud83d"'),
    "half a pair behind a backslash": seen('"ann"', r'"\\\ud83d"'),
    "half a pair as a name": seen('"actor"', r'"\udfff"'),
    "half a pair in an envelope": spelt('{\\"payload\\"', r'{\"x\":\"\\ud83d\",\"payload\"'),
    "half a pair in a command": half_a_pair,
    "an event without a name": seen('"seen"', '""'),
    "a time before all": seen(str(NOON_MS), "-1"),
    "a time behind all": seen(str(NOON_MS), str(1 << 63)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "is_good"),
    [(one, True) for one in GOOD.values()] + [(one, False) for one in BAD.values()],
    ids=[*GOOD, *BAD],
)
def test_both_are_as_strict(
    program: Path,
    book: Book,
    tmp_path: Path,
    more: More,
    is_good: bool,  # noqa: FBT001 - a case
) -> None:
    """With more records both accept the log, or both name the last one."""
    records = list(book.records)
    more(records)
    export(tmp_path / "log", records, book.notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    place = None if report.fault is None else report.fault.seq
    assert place == (None if is_good else len(records) - 1)
    assert said.stdout.split(":")[0] == ("ok\n" if is_good else f"record {len(records) - 1}"), said.stdout
