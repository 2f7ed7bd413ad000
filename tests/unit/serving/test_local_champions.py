"""A version that is to answer by a local command: none that the controller would not let answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from believing import Life, lived, says
from office import Office
from signed import command, key, model, signed

from driftline.agents.serving.errors import ServingError


def run(folder: Path, whole: Callable[[Office, Life], Awaitable[None]]) -> None:
    """Run a test with an agent whose champion is version 3, after 2 and, before that, 1, which Eve put there."""

    def begin(office: Office) -> None:
        office.registered("1")
        office.does("create", "eve", model=model("1"))
        for version in "23":
            office.registered(version)
            office.does("promote", "ann", model=model(version))

    lived(folder, begin, whole)


def test_the_champion_does_not_answer_in_place_of_itself(tmp_path: Path) -> None:
    """What was halted is resumed by whoever may do that: no halt that names the champion undoes the other one."""

    async def whole(office: Office, life: Life) -> None:
        office.does("halt-serving", "oli")
        await life.catches_up()
        assert life.slots.answering is None
        with pytest.raises(ServingError, match="version 3 is champion; halt-serving takes"):
            await says(office, life, "halt-serving", model=model("3"))
        assert life.slots.answering is None

    run(tmp_path, whole)


@pytest.mark.parametrize("op", ["halt-serving", "rollback"])
def test_what_a_revoked_key_put_there_answers_by_no_local_command(tmp_path: Path, op: str) -> None:
    """An earlier champion that the controller would not go back to is not gone back to here."""

    async def whole(office: Office, life: Life) -> None:
        state = office.desk.history.now.ring.state
        revoke = command(
            "key-revoke", "", at_ms=office.now_ms, key=key("eve").keyid, expected_revision=state.version
        )
        assert office.send(signed(revoke, "root-1", "root-2").to_bytes())[-1].event == "decided"
        await life.catches_up()
        with pytest.raises(ServingError, match="a key under the create of version 1 was revoked"):
            await says(office, life, op, model=model("1"))
        assert life.slots.answering.version == "3"
        await says(office, life, op, model=model("2"))
        assert life.slots.answering.version == "2"

    run(tmp_path, whole)


@pytest.mark.parametrize("instead", [None, "1"])
def test_a_later_halt_ends_one_that_was_given_here(tmp_path: Path, instead: str | None) -> None:
    """Whoever halts for all says what answers, whatever an agent was told to let answer before that."""

    async def whole(office: Office, life: Life) -> None:
        await says(office, life, "halt-serving", model=model("2"))
        assert life.slots.answering.version == "2"
        office.now_ms += 1_000
        office.does("halt-serving", "oli", **({} if instead is None else {"model": model(instead)}))
        await life.catches_up()
        assert getattr(life.slots.answering, "version", None) == instead
        assert life.controlled.belief.local == {}
        office.now_ms -= 2_000
        with pytest.raises(ServingError, match=r"that was signed 1\.0 s after it"):
            await says(office, life, "halt-serving", model=model("2"))

    run(tmp_path, whole)


@pytest.mark.parametrize("later", ["halt", "rollback"])
def test_a_halt_ends_when_what_answers_instead_is_champion(tmp_path: Path, later: str) -> None:
    """The controller takes no such halt over, and there is nothing to resume: the next champion answers."""

    async def whole(office: Office, life: Life) -> None:
        rollback = signed(office.build("rollback", model=model("2")), "oli").to_bytes()
        asked = await says(office, life, "halt-serving", model=model("2"))
        office.now_ms += 1_000
        if later == "rollback":
            rollback = signed(office.build("rollback", model=model("2")), "oli").to_bytes()
        assert office.send(rollback)[-1].event == "decided"
        office.prepared()
        assert office.send(asked.encode())[-1].event == "rejected"
        await life.catches_up()
        assert (office.state.champion, life.slots.answering.version) == (model("2"), "2")
        assert life.controlled.belief.local == {}

    run(tmp_path, whole)


def test_a_halt_of_all_holds_whoever_is_champion(tmp_path: Path) -> None:
    """Nothing was to answer: a rollback of before, or later, is no resumption."""

    async def whole(office: Office, life: Life) -> None:
        await says(office, life, "halt-serving")
        office.now_ms += 1_000
        office.does("rollback", "oli", model=model("2"))
        await life.catches_up()
        assert office.state.champion == model("2")
        assert life.slots.answering is None

    run(tmp_path, whole)
