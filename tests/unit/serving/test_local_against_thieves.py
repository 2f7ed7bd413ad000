"""A local command against whoever took a controller over: no state of theirs ends it that no person signed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from believing import Life, lived, says
from msgspec.structs import replace
from office import PLAN, Office
from signed import command, model, signed

from driftline.agents.control.lifecycle import cancel
from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.errors import ServingError
from driftline.schemas.control.command import Op
from driftline.schemas.control.serving_state import Grant, Halt


def run(folder: Path, whole: Callable[[Office, Life], Awaitable[None]]) -> None:
    """Run a test with an agent whose champion is version 2, after 1."""

    def begin(office: Office) -> None:
        office.created("1")
        office.registered("2")
        office.does("promote", "ann", model=model("2"))

    lived(folder, begin, whole)


async def says_first(office: Office, life: Life, op: Op, **fields: Any) -> str:
    """Give the agent a command of Oli's itself, two seconds before what else comes; return its envelope."""
    asked = await says(office, life, op, **fields)
    office.now_ms += 2_000
    return asked


def forged(office: Office, *grants: Grant, **fields: Any) -> None:
    """Let the controller make a revision with more grants, and other fields, and the audit tell of it."""
    made = cancel(office.state, office.desk.at(office.now_ms))
    made = replace(made, basis=(*made.basis, *grants), **fields)
    office.told += office.desk.move(made, "forged", office.now_ms)


def by_nobody(office: Office, op: Any, **fields: Any) -> str:
    """An envelope of now that a key signed which nobody knows."""
    return signed(command(op, at_ms=office.now_ms, **fields), "mallory").to_bytes().decode()


@pytest.mark.parametrize("of", ["halt", "resumed-serving", "pause"])
def test_a_halt_is_ended_by_no_grant_that_warrants_nothing(tmp_path: Path, of: Any) -> None:
    """Neither by one of an unknown key, nor by a copy of itself under another name."""

    async def whole(office: Office, life: Life) -> None:
        asked = await says_first(office, life, "halt-serving")
        forgeries = {
            "halt": by_nobody(office, "halt-serving"),
            "resumed-serving": by_nobody(office, "resume", target="serving"),
            "pause": asked,
        }
        forged(office, Grant(of=of, command=forgeries[of]))
        await life.catches_up()
        assert life.slots.answering is None
        assert len(life.controlled.belief.local["churn"]) == 1

    run(tmp_path, whole)


def test_a_rollback_is_ended_by_no_grant_of_a_key_that_nobody_knows(tmp_path: Path) -> None:
    """The version that was gone back to answers on."""

    async def whole(office: Office, life: Life) -> None:
        await says_first(office, life, "rollback", model=model("1"))
        forged(office, Grant(of="rollback", command=by_nobody(office, "rollback", model=model("1"))))
        await life.catches_up()
        assert life.slots.answering.version == "1"

    run(tmp_path, whole)


@pytest.mark.parametrize("of", ["resumed-rollout", "pause"])
def test_a_weight_that_was_held_here_grows_by_no_such_grant(tmp_path: Path, of: Any) -> None:
    """The controller steps on meanwhile, and a forged resumption lets it grow here no more than before."""

    async def whole(office: Office, life: Life) -> None:
        office.registered("3")
        office.does("canary", "ann", model=model("3"), plan=PLAN)
        await life.catches_up()
        asked = await says_first(office, life, "halt-rollout")
        weight = life.slots.weight
        office.stepped()
        await life.catches_up()
        resumed = by_nobody(office, "resume", target="rollout")
        paused = replace(office.state.rollout, paused=of == "pause")
        forged(office, Grant(of=of, command=asked if of == "pause" else resumed), rollout=paused)
        await life.catches_up()
        assert life.slots.weight == weight > 0

    run(tmp_path, whole)


def test_a_weight_that_was_held_here_grows_by_no_controller_that_hears_of_it_late(tmp_path: Path) -> None:
    """What went a step on elsewhere before the same halt reached the controller goes on here after a resumption."""

    async def whole(office: Office, life: Life) -> None:
        office.registered("3")
        office.does("canary", "ann", model=model("3"), plan=PLAN)
        await life.catches_up()
        asked = await says_first(office, life, "halt-rollout")
        office.stepped()
        await life.catches_up()
        assert office.send(asked.encode())[-1].event == "decided"
        await life.catches_up()
        assert (life.slots.weight, office.state.rollout.weight) == (500, 5_000)
        office.does("resume", "oli", target="rollout")
        await life.catches_up()
        assert (life.slots.weight, life.controlled.belief.local.get("churn", ())) == (5_000, ())

    run(tmp_path, whole)


def test_a_halt_of_all_is_ended_by_no_state_in_which_a_version_answers(tmp_path: Path) -> None:
    """Oli once let version 1 answer instead, and took it back; now nothing may, whatever else a state shows."""

    async def whole(office: Office, life: Life) -> None:
        once = signed(office.build("halt-serving", model=model("1")), "oli").to_bytes()
        assert office.send(once)[-1].event == "decided"
        office.does("resume", "oli", target="serving")
        await life.catches_up()
        asked = await says_first(office, life, "halt-serving")
        halt = Halt(reason="why", by="oli", revision=office.state.revision + 1, instead=model("1"))
        forged(office, Grant(of="halt", command=asked), Grant(of="halt", command=once.decode()), halt=halt)
        with suppress(StateError):
            await life.catches_up()
        assert life.slots.answering is None

    run(tmp_path, whole)


def test_a_state_with_a_grant_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Nothing that holds is thrown away for it, and what is given here afterwards is obeyed."""

    async def whole(office: Office, life: Life) -> None:
        await says_first(office, life, "halt-serving")
        forged(office, Grant(of="resumed-serving", command="garbage"))
        with pytest.raises(StateError, match=r"a grant of it \(resumed-serving\) holds no command"):
            await life.catches_up()
        assert life.slots.answering is None
        assert len(life.controlled.belief.local["churn"]) == 1
        await says_first(office, life, "halt-serving")
        assert life.slots.answering is None

    run(tmp_path, whole)


def test_a_halt_that_a_later_stamp_keeps_from_being_obeyed_says_what_to_do(tmp_path: Path) -> None:
    """The clock of whoever resumed is ahead: it says that it did not halt, and by how much; a new one is obeyed."""

    async def whole(office: Office, life: Life) -> None:
        office.does("halt-serving", "ann")
        office.now_ms += 50_000
        ahead = signed(office.build("resume", target="serving"), "ann").to_bytes()
        office.now_ms -= 50_000
        assert office.send(ahead)[-1].event == "decided"
        await life.catches_up()
        with pytest.raises(
            ServingError, match=r"is not obeyed: a resume stands that was signed 49\.0 s after it"
        ):
            await says_first(office, life, "halt-serving")
        office.now_ms += 50_000
        await says_first(office, life, "halt-serving")
        assert life.slots.answering is None

    run(tmp_path, whole)


def test_a_halt_holds_while_a_canary_of_before_would_answer_beside(tmp_path: Path) -> None:
    """The agent was away while version 1 became champion and 3 its canary: what Oli halted answers nobody here."""

    async def whole(office: Office, life: Life) -> None:
        office.does("rollback", "oli", model=model("1"))
        office.registered("3")
        office.does("canary", "ann", model=model("3"), plan=PLAN)
        asked = await says(office, life, "halt-serving", model=model("1"))
        assert office.send(asked.encode())[-1].event == "rejected"
        await life.catches_up()
        assert "churn" in life.controlled.belief.local
        assert (life.slots.answering.version, life.slots.halted is None) == ("1", False)

    run(tmp_path, whole)


def test_a_canary_of_somebody_whose_clock_is_ahead_is_taken_back_here(tmp_path: Path) -> None:
    """Its command is stamped 50 s after it came; Oli's rollback of half a minute later is obeyed, and holds."""

    async def whole(office: Office, life: Life) -> None:
        office.registered("3")
        office.does("shadow", "ann", model=model("3"))
        ahead = office.build("canary", model=model("3"), plan=PLAN, at_ms=office.now_ms + 50_000)
        assert office.send(signed(ahead, "ann").to_bytes())[-1].event == "decided"
        await life.catches_up()
        assert life.slots.weight > 0
        office.now_ms += 31_000
        await says(office, life, "rollback", model=model("2"))
        assert (life.slots.answering.version, life.slots.weight) == ("2", 0)
        office.registered("4")
        await life.catches_up()
        assert life.slots.weight == 0

    run(tmp_path, whole)
