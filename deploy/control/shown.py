"""Shown: commands, what waits and outcomes, as lines for people and as tables for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from driftline.agents.control.pending import Review
from driftline.agents.control.verdicts import one_line
from driftline.deploy.control.outcome import ACTIVATED
from driftline.schemas.control.command import Command, Plan

if TYPE_CHECKING:
    from driftline.agents.control.pending import Waiting
    from driftline.deploy.control.asking import Asked
    from driftline.deploy.control.outcome import Outcome

_APART = frozenset(
    ("command_id", "op", "audience", "issued_at_ms", "expires_at_ms", "nonce", "deployment", "model", "plan")
)
_LONG = frozenset(("trust", "policy", "settings", "manifest"))
"""Fields of which the size is shown."""
SHOWN_CHARS = 300
GLASS = ", with the glass broken"
"""What is said behind who approved something that was to be reviewed afterwards."""


def command_lines(command: Command, digest: str, by: str) -> Iterator[str]:
    """A command, field by field; what its asker wrote is shown as one line each."""
    named = [command.op, command.deployment]
    if command.model is not None:
        named.append(f"version {command.model.version}")
    yield " ".join(one for one in named if one)
    if command.model is not None:
        yield f"  package   {command.model.name} {command.model.version}, manifest {command.model.manifest}"
    for name, value in msgspec.structs.asdict(command).items():
        default = next(one.default for one in msgspec.structs.fields(command) if one.name == name)
        if name in _APART or value == default:
            continue
        if name in _LONG:
            yield f"  {name:<9} {len(msgspec.json.encode(value)):,} bytes"
        else:
            yield f"  {name:<9} {one_line(str(value), SHOWN_CHARS)}"
    yield from _plan_lines(command)
    yield f"  asked by  {by}, {moment(command.issued_at_ms)}"
    yield f"  digest    {digest}"


def _plan_lines(command: Command) -> Iterator[str]:
    plan = command.plan
    if plan is None:
        return
    for number, step in enumerate(plan.steps, 1):
        yield f"  step {number}    {step.weight / 100:g}% for {step.bake_s:g} s and {step.min_rows:,} rows at least"
    usual, op = Plan(), command.op
    parts = []
    if op == "canary" or plan.max_wait_s != usual.max_wait_s:
        parts.append(f"waits {plan.max_wait_s:g} s at most")
    if op == "promote" or plan.bake_s != usual.bake_s:
        parts.append(f"bakes {plan.bake_s:g} s")
    if op in ("canary", "promote") or not plan.automatic_rollback:
        parts.append("windows may take it back" if plan.automatic_rollback else "only people take it back")
    if parts:
        yield f"  plan      {', '.join(parts)}"
    if plan.prepare_s != usual.prepare_s:
        yield f"  prepare   {plan.prepare_s:g} s at most"
    if plan.cold_rollback:
        yield "  memory    a previous champion may be let go of, and is loaded again to go back"


def waiting_lines(waiting: Waiting, lacking: int | None, names: dict[str, str]) -> Iterator[str]:
    """What waits, and for whom."""
    yield from command_lines(waiting.command, waiting.digest, _named(waiting.by, names))
    approved = ", ".join(_named(one.person, names) for one in waiting.approvals) or "nobody"
    needs = "nothing would do" if lacking is None else f"{lacking} more must" if lacking else "enough have"
    yield f"  approved  by {approved}; {needs}, until {moment(waiting.until_ms)}"


def named_lines(found: Waiting | Review) -> Iterator[str]:
    """What a digest names, for whoever is about to speak of it."""
    if isinstance(found, Review):
        yield review_line(found, {})
    else:
        yield from command_lines(found.command, found.digest, found.by)


def deployment_of(found: Waiting | Review) -> str:
    """Which deployment it is about."""
    return found.deployment if isinstance(found, Review) else found.command.deployment


def review_line(review: Review, names: dict[str, str]) -> str:
    """What was done with the glass broken, and until when somebody else is to look at it."""
    by, until = _named(review.by, names), moment(review.until_ms)
    return f"{review.deployment}: {by} broke the glass; to be reviewed until {until}: driftline approve {review.digest}"


def review_table(review: Review) -> dict[str, Any]:
    """What was done with the glass broken, for programs."""
    found = {
        "digest": review.digest,
        "deployment": review.deployment,
        "by": review.by,
        "until_ms": review.until_ms,
    }
    return {**found, "review": True}


def waiting_table(waiting: Waiting, lacking: int | None) -> dict[str, Any]:
    """What waits, for programs."""
    return {
        "digest": waiting.digest,
        "by": waiting.by,
        "command": msgspec.to_builtins(waiting.command),
        "approved_by": [one.person for one in waiting.approvals],
        "lacking": lacking,
        "until_ms": waiting.until_ms,
    }


def outcome_line(asked: Asked, outcome: Outcome) -> str:
    """What came of a command, in a sentence."""
    at = "" if outcome.seq is None else f" (audit record {outcome.seq})"
    return f"{_event(outcome, asked.envelope.digest)}{at}" + (
        "" if outcome.then is None else f"; the command: {_event(outcome.then, asked.command.target)}"
    )


def outcome_table(asked: Asked, outcome: Outcome) -> dict[str, Any]:
    """What came of a command, for programs."""
    return {
        "op": asked.command.op,
        "deployment": asked.command.deployment,
        "digest": asked.envelope.digest,
        "command_id": asked.command.command_id,
        "by": asked.by,
        "outcome": asdict(outcome),
    }


def moment(ms: int) -> str:
    """A time as people read it; times beyond a calendar as their number."""
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"


def _event(outcome: Outcome, digest: str) -> str:
    if outcome.event == "effective":
        who = f", approved by {', '.join(outcome.approvers)}" if outcome.approvers else ""
        if outcome.revision is None:
            return f"decided{who}"
        return f"decided{who}: {_standing(outcome)}"
    if outcome.event == "waits":
        until = moment(outcome.until_ms) if outcome.until_ms else "the limit of its tier"
        return f"waits for {outcome.lacking} more to approve, until {until}: driftline approve {digest}"
    if outcome.code is None:
        return outcome.event
    return f"{outcome.event} ({outcome.code}): {one_line(outcome.sentence)}"


def _named(person: str, names: dict[str, str]) -> str:
    return f"{names[person]} ({person})" if person in names else person


def _standing(outcome: Outcome) -> str:
    """What is so by a command that was decided."""
    end = outcome.ended
    if end is not None:
        why = one_line(end.sentence) or "another command ended it"
        return f"revision {end.revision} is so: {why}" if end.event == ACTIVATED else why
    if outcome.is_prepared:
        return f"revision {outcome.revision} prepares it on every instance: 'driftline history' tells what comes of it"
    return f"revision {outcome.revision} is so"
