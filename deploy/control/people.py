"""People and keys of an installation, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from driftline.agents.audit.notes import PLAIN, TIMED, NoteKey
from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id

if TYPE_CHECKING:
    from driftline.schemas.control.trust import Trust, TrustState


def key_rows(state: TrustState) -> list[dict[str, str]]:
    """Every key of a trust state: its id, what it is for, whose it is, and whether it counts.

    A key of the log or of a witness that counts has its `vkey` too, by which others check a proof.
    """
    revoked = {one.key for one in state.revocations}
    rows = []
    for what, whose, text in _keys(state.trust):
        keyid = key_id(public_of(text))
        counts = keyid not in revoked
        rows.append({
            "keyid": keyid, "for": what, "whose": whose, "public": text,
            "state": "counts" if counts else "revoked",
            "vkey": _vkey(state.trust, what, whose, text) if counts else "",
        })  # fmt: skip
    known = {row["keyid"] for row in rows}
    gone = (one.key for one in state.revocations if one.key not in known)
    none = {"for": "", "whose": "", "public": "", "state": "revoked", "vkey": ""}
    return rows + [{"keyid": one, **none} for one in gone]


def _keys(trust: Trust) -> Iterator[tuple[str, str, str]]:
    yield from (("root", "", text) for text in trust.root.keys)
    yield from (("states", "controller", text) for text in trust.controllers)
    yield from (("checkpoints", "", text) for text in trust.checkpoints)
    for person in trust.persons:
        yield from ((", ".join(person.roles), person.id, text) for text in person.keys)
    for agent in trust.agents:
        yield from (("acks", agent.id, text) for text in agent.keys)
    yield from (("witness", one.name, one.key) for one in trust.witnesses)


def _vkey(trust: Trust, what: str, whose: str, text: str) -> str:
    """The key as notes know it, where it signs them."""
    if what == "checkpoints":
        return NoteKey(trust.origin, PLAIN, public_of(text)).text
    return NoteKey(whose, TIMED, public_of(text)).text if what == "witness" else ""
