"""One thing that `driftline doctor` looked at, and the mend when it is not well."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

LOOK_SECONDS: Final = 10
"""How long who only looks waits for ClickHouse: one that hangs is down."""

Level = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A finding.

    Attributes:
        name: what was looked at.
        level: "warn" works now but may not later, or is needed only sometimes; "fail" does not work.
        found: what was found.
        mend: what to do, "" when all is well.

    """

    name: str
    level: Level
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Check:
    """Return a finding that is well."""
    return Check(name=name, level="ok", found=found)


def warn(name: str, found: str, mend: str) -> Check:
    """Return a finding to look after."""
    return Check(name=name, level="warn", found=found, mend=mend)


def fail(name: str, found: str, mend: str) -> Check:
    """Return a finding that must be mended."""
    return Check(name=name, level="fail", found=found, mend=mend)


def split_sentence(name: str, sentence: str) -> Check:
    """Return a failure from an error's sentence: what stands after its last colon is the mend."""
    found, colon, mend = sentence.rpartition(": ")
    return fail(name, found, mend) if colon else fail(name, sentence, "")
