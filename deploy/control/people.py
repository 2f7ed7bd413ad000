"""People and keys of an installation, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id

if TYPE_CHECKING:
    from driftline.schemas.control.trust import Trust, TrustState


def key_rows(state: TrustState) -> list[dict[str, str]]:
    """Every key of a trust state: its id, what it is for, whose it is, and whether it counts."""
    revoked = {one.key for one in state.revocations}
    rows = []
    for what, whose, text in _keys(state.trust):
        keyid = key_id(public_of(text))
        rows.append({
            "keyid": keyid, "for": what, "whose": whose, "public": text,
            "state": "revoked" if keyid in revoked else "counts",
        })  # fmt: skip
    known = {row["keyid"] for row in rows}
    gone = (one.key for one in state.revocations if one.key not in known)
    return rows + [{"keyid": one, "for": "", "whose": "", "public": "", "state": "revoked"} for one in gone]


def _keys(trust: Trust) -> Iterator[tuple[str, str, str]]:
    yield from (("root", "", text) for text in trust.root.keys)
    yield from (("states", "controller", text) for text in trust.controllers)
    yield from (("checkpoints", "", text) for text in trust.checkpoints)
    for person in trust.persons:
        yield from ((", ".join(person.roles), person.id, text) for text in person.keys)
    for agent in trust.agents:
        yield from (("acks", agent.id, text) for text in agent.keys)
    yield from (("witness", one.name, one.key) for one in trust.witnesses)
