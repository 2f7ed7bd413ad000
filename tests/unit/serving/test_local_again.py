"""What an agent took once: commands that are given again, and changes of trust that a later log leaves out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from audit_logs import POLICY, new_book
from believing import Life
from office import Office
from served import Package
from signed import command, key, model, plain, signed, trust

from driftline.agents.audit.errors import AuditError
from driftline.agents.control.marks import Marks
from driftline.agents.control.verify_state import Believed
from driftline.agents.serving.belief import Belief
from driftline.agents.serving.errors import ServingError


def test_a_log_that_leaves_out_a_change_of_trust_is_not_followed() -> None:
    """Where a topic was made anew without a revocation, roots' later words do not stand in its place."""
    heard, other = new_book(), new_book()
    revoked = command("key-revoke", "", key=key("ann").keyid, expected_revision=1)
    heard.change_trust(revoked, "root-1", "root-2")
    changed = command("policy-set", "", policy=POLICY, expected_revision=1)
    other.change_trust(changed, "root-1", "root-2")
    belief = Belief(heard.pins.genesis, key("serving-1").keyid)
    assert [belief.hear(one) for one in heard.records] == [True, True]
    belief.restart()
    assert [belief.hear(one) for one in heard.records] == [False, False]
    belief.restart()
    belief.hear(other.records[0])
    with pytest.raises(AuditError, match="changes trust otherwise"):
        belief.hear(other.records[1])
    assert belief.history is not None
    assert belief.history.is_revoked(key("ann").keyid)


def test_what_somebody_packed_who_is_gone_serves_on_after_a_restart() -> None:
    """The key of a person who left counts for packages as before; a revoked one for what serves, and nothing else."""
    book, office = new_book(), Office("low")
    office.created("1")
    belief = Belief(book.pins.genesis, key("serving-1").keyid)
    ann, bob = key("ann").keyid, key("bob").keyid
    people = [one for one in trust().persons if one.id != "ann"]
    left = {**plain(trust()), "persons": plain(people)}
    book.change_trust(command("trust-set", "", trust=left, expected_revision=1), "root-1", "root-2")
    book.change_trust(command("key-revoke", "", key=bob, expected_revision=2), "root-1", "root-2")
    for one in book.records:
        belief.hear(one)
    assert {ann} <= belief.package_keys(model("1")).keys()
    assert bob not in belief.package_keys(model("1"))
    belief.believed["churn"] = Believed(state=office.state, marks=Marks())
    again = Belief(book.pins.genesis, key("serving-1").keyid, belief.kept)
    assert {ann, bob} <= again.package_keys(model("1")).keys()
    assert (ann in again.package_keys(model("2")), bob in again.package_keys(model("2"))) == (True, False)
    assert key("thief").keyid not in again.package_keys(model("1"))


def test_a_command_that_the_controller_carried_out_is_not_obeyed_again_here(tmp_path: Path) -> None:
    """A halt of minutes ago, copied off its topic, ends no service that somebody resumed since; a new one does."""
    office = Office("low")

    def halt() -> tuple[bytes, bytes]:
        asked = signed(office.build("halt-serving"), "oli").to_bytes()
        return asked, msgspec.json.encode({"command": asked.decode()})

    async def whole() -> None:
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created()
        asked, line = halt()
        office.send(asked)
        await life.catches_up()
        with pytest.raises(ServingError, match="what is so already rests on it"):
            life.controlled.command(line)
        office.now_ms += 1_000
        office.does("resume", "oli", target="serving")
        await life.catches_up()
        with pytest.raises(ServingError, match="a resume stands that was signed"):
            life.controlled.command(line)
        assert life.slots.answering.version == "1"
        new = halt()[1]
        life.controlled.command(new)
        await life.settled()
        assert life.slots.answering is None
        life.controlled.command(halt()[1])
        with pytest.raises(ServingError, match="obeyed before"):
            life.controlled.command(new)
        await life.end()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await whole()

    asyncio.run(bounded())
