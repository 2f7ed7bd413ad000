"""Stood: what serves in a deployment, by whose word, as a table for programs and lines for people."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.control.controller.phases import progress
from driftline.agents.control.grants import held
from driftline.agents.control.verdicts import one_line
from driftline.deploy.control.shown import GLASS, moment
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope, EnvelopeError

if TYPE_CHECKING:
    from driftline.deploy.control.past import Past
    from driftline.deploy.control.placing import Deed
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState, Tier

REVIEW_DAYS: Final[dict[Tier, int]] = {"low": 730, "medium": 365, "high": 180}
"""How long a validation is held to be fresh, by tier, days."""
_DAY_MS: Final = 86_400_000
ABOUT: Final = ("owner", "purpose", "oversight", "training_data", "provenance")


def stood_table(past: Past, state: ServingState) -> dict[str, Any]:
    """What stood, each with the record of the audit that it stands by."""
    rollout, halt = state.rollout, state.halt
    ledger = past.ledger
    return {
        "deployment": state.deployment,
        "revision": state.revision,
        "audit_seq": state.audit_seq,
        "decided": moment(state.decided_at_ms),
        "tier": state.tier,
        "phase": state.phase,
        "standing": progress(
            state, ledger.answers.round(state.deployment), ledger.members.of(state.deployment)
        ),
        "champion": _by(state.champion, past.placed.get(state.deployment)),
        "previous": None if state.previous is None else state.previous.version,
        "canary": None
        if rollout is None
        else {
            **(_by(rollout.model, _begun_by(past, state)) or {}),
            "weight": rollout.weight / 10_000,
            "step": rollout.step + 1,
            "steps": len(rollout.plan.steps),
            "passed": rollout.passed,
            "paused": rollout.paused,
        },
        "shadows": [one.version for one in state.shadows],
        "halt": None
        if halt is None
        else {
            "by": halt.by,
            "reason": halt.reason,
            "revision": halt.revision,
            "instead": None if halt.instead is None else halt.instead.version,
        },
        "retired": state.is_retired,
    }


def stood_lines(table: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"{table['deployment']}, revision {table['revision']} (audit {table['audit_seq']}), {table['decided']}"
    yield f"  tier      {table['tier']}"
    yield f"  standing  {table['standing']}"
    for name in ("champion", "canary"):
        one = table[name]
        if one is not None:
            weight = f" for {one['weight']:.2%} of callers" if name == "canary" else ""
            yield f"  {name:<9} {one['version']}{weight}{_word(one)}"
    if table["shadows"]:
        yield f"  shadows   {', '.join(table['shadows'])}"
    if table["halt"] is not None:
        instead = table["halt"]["instead"]
        answers = "" if instead is None else f", {instead} answers instead"
        yield f"  halted    by {table['halt']['by']}: {one_line(table['halt']['reason'])}{answers}"
    if table["retired"]:
        yield "  retired"


def inventory_table(past: Past, state: ServingState) -> dict[str, Any]:
    """One deployment as an inventory has it: who answers for it, who looked at it, what serves where.

    Before it has a champion, that is said of the version that was registered last.
    """
    model = state.champion or (state.versions[-1].model if state.versions else None)
    about = {} if model is None else _about(past, state.deployment, model)
    validation = None if model is None else past.validations.get((state.deployment, model.version))
    version = None if model is None else state.version(model)
    due = None if validation is None else validation.decided_at_ms + REVIEW_DAYS[state.tier] * _DAY_MS
    members = past.ledger.members.of(state.deployment)
    return {
        **stood_table(past, state),
        **{name: about.get(name) for name in ABOUT},
        "validated": None
        if validation is None or version is None
        else {
            "by": version.validated_by,
            "at": moment(validation.decided_at_ms),
            "evidence": version.evidence,
            "audit_seq": validation.seq,
        },
        "next_review": None if due is None else moment(due),
        "instances": sorted(members),
        "versions": [{"version": one.model.version, "stage": one.stage} for one in state.versions],
    }


def _begun_by(past: Past, state: ServingState) -> Deed | None:
    """The command that a rollout stands by."""
    grant = held(state, "rollout")
    try:
        return None if grant is None else past.deeds.get(Envelope.from_bytes(grant.command.encode()).digest)
    except (EnvelopeError, ValueError):
        # Nobody but a controller whose key was stolen tells of such a grant: it names nobody.
        return None


def _by(model: ModelRef | None, deed: Deed | None) -> dict[str, Any] | None:
    """A model and what it stands by."""
    if model is None:
        return None
    return {
        "name": model.name,
        "version": model.version,
        "manifest": model.manifest,
        "by": None if deed is None else deed.by,
        "approvers": [] if deed is None else list(deed.approvers),
        "break_glass": deed is not None and deed.break_glass,
        "since": None if deed is None else moment(deed.at_ms),
        "audit_seq": None if deed is None else deed.seq,
    }


def _word(one: dict[str, Any]) -> str:
    approved = f", approved by {', '.join(one['approvers'])}" if one["approvers"] else ""
    approved += GLASS if one["break_glass"] else ""
    return f", by {one['by']}{approved}, {one['since']} (audit {one['audit_seq']})" if one["by"] else ""


def _about(past: Past, deployment: str, model: ModelRef) -> dict[str, Any]:
    """What the manifest says, as it was registered."""
    record = past.registers.get((deployment, model.version))
    if record is None or record.envelope is None:
        return {}
    try:
        command = Command.from_bytes(Envelope.from_bytes(record.envelope.encode()).body)
        envelope = Envelope.from_bytes(base64.b64decode(command.manifest or ""))
        found = msgspec.json.decode(envelope.body)
    except (EnvelopeError, msgspec.MsgspecError, ValueError):
        # Nobody but a controller whose key was stolen tells of such a register: it says nothing of the model.
        return {}
    return found if isinstance(found, dict) else {}
