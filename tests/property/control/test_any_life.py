"""Whatever people and windows do, in any order: laws that every state of a deployment keeps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from office import EVIDENCE, PASS, PLAN, PROFILE, Office, halted
from office_audit import lines, rebuilt
from signed import model, text

from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.control import moves
from driftline.agents.control.lifecycle import cancel
from driftline.agents.control.verdicts import Refusal
from driftline.agents.control.verify_state import Believed, verify_state
from driftline.schemas.control.command import Plan
from driftline.schemas.control.serving_state import TIERS, ServingState, Tier
from driftline.schemas.control.trust import Person

WEIGHTS = {
    "validate": 4, "shadow": 2, "canary": 4, "promote": 5, "rollback": 1, "halt-rollout": 1, "halt-serving": 1,
    "halt-instead": 1,
    "resume-serving": 6, "resume-rollout": 3, "register": 1, "retire": 0.3, "prepared": 8, "step": 8, "cancel": 0.5,
    "abandon": 0.5, "back": 1, "halted": 0.5, "baked": 1, "roles": 10,
    "names": 10, "keys": 3,
}  # fmt: skip
"""How often each is tried: lives go far before they end."""


def life_of(seed: int) -> list[tuple[str, str]]:
    """Return what is tried, in order, and with which version."""
    chance = random.Random(seed)
    tried = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=80)
    return [(what, chance.choice(("1", "2", "3"))) for what in tried]


def other_roles(one: Person) -> Person:
    """Make somebody an approver, or no approver any more."""
    return replace(one, roles=("validator",) if "approver" in one.roles else ("validator", "approver"))


def other_id(one: Person) -> Person:
    """Give somebody a longer id, or the one of before."""
    return replace(one, id=one.id.removesuffix("-2") if one.id.endswith("-2") else f"{one.id}-2")


def other_keys(one: Person) -> Person:
    """Let somebody have a key more, or the first alone."""
    return replace(one, keys=one.keys[:1] if len(one.keys) > 1 else (*one.keys, text(f"{one.id}'s new")))


TOLD_OF_PERSONS = {
    "roles": (other_roles, ("bob", "cat", "val")),
    "names": (other_id, ("bob", "ann", "val")),
    "keys": (other_keys, ("bob", "ann", "val")),
}
"""What roots change, and of whom."""


def act(office: Office, what: str, version: str, pause_ms: int = 0) -> None:
    """Do one thing, whether it may be or not; approvals come a while after it."""
    if what in TOLD_OF_PERSONS:
        other, words = TOLD_OF_PERSONS[what]
        held = text(words[int(version) - 1])
        office.trusts(lambda one: other(one) if held in one.keys else one)
        return
    at = office.desk.at(office.clock_ms)
    state = office.desk.states.get("churn")
    if what in ("prepared", "cancel", "step", "abandon", "back", "halted", "baked"):
        if state is None:
            return
        if what == "prepared":
            office.prepared()
            return
        made = {
            "cancel": lambda: (
                cancel(state, at) if state.phase == "prepare" else Refusal("malformed", "nothing")
            ),
            "step": lambda: moves.next_step(state, PASS, at),
            "abandon": lambda: moves.abandon(state, at),
            "back": lambda: moves.back(state, at),
            "halted": lambda: halted(state, at),
            "baked": lambda: moves.baked(state, at),
        }[what]()
        office.told += office.desk.move(made, what, office.clock_ms)
        return
    op, _, target = what.partition("-") if what.startswith("resume") else (what, "", "")
    instead = {"model": model(version)} if what == "halt-instead" else {}
    op = "halt-serving" if instead else op
    fields = {
        "register": {"model": model(version), "manifest": "e30=", "profile": PROFILE},
        "validate": {"model": model(version), "evidence": EVIDENCE},
        "canary": {"model": model(version), "plan": PLAN},
        "promote": {"model": model(version), "plan": Plan(bake_s=100.0)},
        "resume": {"target": target},
        "halt-rollout": {},
        "halt-serving": instead,
    }.get(op, {"model": model(version)})
    fields.setdefault("expected_revision", state.revision if state is not None else 0)
    if op in ("halt-rollout", "halt-serving"):
        del fields["expected_revision"]
    word = {"validate": "val", "rollback": "oli"}.get(op, "ann")
    asked = office.ask(op, word, **fields)  # type: ignore[arg-type]
    if asked.event == "waits":
        office.now_ms += pause_ms
        office.approve(asked, "bob")
        office.now_ms += pause_ms
        office.approve(asked, "cat")


SEEDS = st.integers(0, 1 << 32)
TIERS_OF_VERSIONS = st.tuples(*[st.sampled_from(TIERS)] * 3)


@settings(max_examples=15)
@given(SEEDS, TIERS_OF_VERSIONS)
def test_every_life_keeps_the_laws(seed: int, tiers: tuple[Tier, ...]) -> None:
    """The laws hold in a life: see `keeps_the_laws`."""
    keeps_the_laws(seed, tiers)


@pytest.mark.slow
@settings(max_examples=200)
@given(SEEDS, TIERS_OF_VERSIONS)
def test_each_of_many_lives_keeps_the_laws(seed: int, tiers: tuple[Tier, ...]) -> None:
    """The laws hold in hundreds of lives."""
    keeps_the_laws(seed, tiers)


def keeps_the_laws(seed: int, tiers: tuple[Tier, ...]) -> None:
    """Revisions grow by one, one version is champion, weights wait, agents believe it all, and the audit tells all.

    People get and lose roles and names meanwhile, seconds before they use them.

    Each version has a tier of its own, and the controller a clock that is set anew; an agent saw every state, one some
    of them, and one that starts none.
    """
    of = dict(zip("123", tiers, strict=True))
    chance = random.Random(seed)
    clock_ms = chance.choice((0, 60_000, -200_000))
    office = Office(of["1"], ahead_ms=clock_ms)
    office.created("1")
    for version in "23":
        office.tier = of[version]
        office.registered(version)
    heard_ms: list[int] = []
    for what, version in life_of(seed):
        office.tier = of[version]
        if chance.random() < 0.2:
            office.ahead_ms = clock_ms - chance.choice((0, 5_000, 60_000))
        office.now_ms += chance.choice((1_000, 5_000, 61_000))
        act(office, what, version, chance.choice((0, 5_000, 61_000)))
        heard_ms += [office.now_ms] * (len(office.told) - len(heard_ms))
    revisions = [one.after for one in office.told if one.after is not None]
    assert [one.revision for one in revisions] == list(range(1, len(revisions) + 1))
    assert [one.seq for one in office.told] == list(range(1, len(office.told) + 1))
    awake: Believed | None = None
    sleepy: Believed | None = None
    for before, state in zip([None, *revisions], revisions, strict=False):
        _one_champion(state)
        if before is not None:
            _one_step_at_a_time(before, state)
        data, now_ms = office.published(state), heard_ms[state.audit_seq - 1]
        awake = verify_state(data, "churn", awake, office.desk.history, now_ms, {}, ())
        verify_state(data, "churn", None, office.desk.history, now_ms, {}, ())
        if chance.random() < 0.25:
            sleepy = verify_state(data, "churn", sleepy, office.desk.history, now_ms, {}, ())
    audit = lines(office)
    assert Verifier(Pins(digest(audit[0])), signatures=True).run(iter(audit)).fault is None
    again = rebuilt(map(AuditRecord.from_bytes, audit), office.look)
    assert again.states == office.desk.states
    assert (tuple(again.book), again.book.reviews) == (tuple(office.desk.book), office.desk.book.reviews)
    assert (again.seq, len(again.seen)) == (office.desk.seq, len(office.desk.seen))


def _one_champion(state: ServingState) -> None:
    champions = [one.model for one in state.versions if one.stage == "champion"]
    assert champions == ([] if state.champion is None else [state.champion])
    canaries = [one.model for one in state.versions if one.stage == "canary"]
    assert canaries == ([] if state.rollout is None else [state.rollout.model])
    shadows = {one.model for one in state.versions if one.stage == "shadow"}
    assert shadows == set(state.shadows)
    assert (state.phase == "prepare") == bool(state.prepares) == (state.change is not None)
    assert all(one in {known.model for known in state.versions} for one in state.loaded)
    assert len({one.of for one in state.basis if one.of not in ("shadow", "earlier")}) == sum(
        one.of not in ("shadow", "earlier") for one in state.basis
    )


def _one_step_at_a_time(before: ServingState, state: ServingState) -> None:
    assert TIERS.index(state.tier) >= TIERS.index(before.tier)
    old, new = before.rollout, state.rollout
    if old is not None and new is not None and old.rollout_id == new.rollout_id:
        assert new.step - old.step in (0, 1)
        if new.weight > old.weight:
            assert (old.paused, before.halt) == (False, None)
            assert state.decided_at_ms >= old.step_since_ms + old.plan.steps[old.step].bake_s * 1000
    if before.champion not in (None, state.champion) and not state.is_retired:
        assert state.champion is not None
