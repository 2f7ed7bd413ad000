"""Shape: which fields a command of each op carries; what lacks one, or carries another, is malformed."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.control.command import LONGEST_MS, OPS, Command, Op

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Fields:
    """What an op needs, and what else it takes."""

    needs: frozenset[str]
    takes: frozenset[str] = frozenset()


def _fields(needs: str, takes: str = "") -> Fields:
    return Fields(frozenset(needs.split()), frozenset(takes.split()))


SHAPES: Final[Mapping[Op, Fields]] = {
    "register": _fields("deployment model manifest profile", "expected_revision"),
    "validate": _fields("deployment model evidence", "expected_revision"),
    "create": _fields("deployment model expected_revision", "plan"),
    "shadow": _fields("deployment model expected_revision", "plan"),
    "canary": _fields("deployment model expected_revision plan", "break_glass"),
    "promote": _fields("deployment model expected_revision", "plan break_glass"),
    "rollback": _fields("deployment model expected_revision", "plan break_glass"),
    # A halt holds whatever the revision is by now.
    "halt-rollout": _fields("deployment"),
    "halt-serving": _fields("deployment", "model"),
    "resume": _fields("deployment expected_revision target", "break_glass"),
    "retire": _fields("deployment expected_revision", "model"),
    "configure": _fields("deployment settings", "expected_revision target"),
    "approve": _fields("target", "deployment"),
    "deny": _fields("target", "deployment"),
    "trust-set": _fields("trust expected_revision"),
    "key-revoke": _fields("key expected_revision", "compromised_since_ms"),
    "policy-set": _fields("policy expected_revision"),
    "forget": _fields("deployment target"),
    "log-reset": _fields("target"),
    "acknowledge": _fields("deployment target"),
}
_ALWAYS: Final = frozenset(
    ("command_id", "op", "audience", "issued_at_ms", "expires_at_ms", "nonce", "reason", "ticket")
)
_DEFAULTS: Final = {
    one.name: one.default for one in msgspec.structs.fields(Command) if one.name not in _ALWAYS
}
RESUMED: Final = ("serving", "rollout")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def fault(command: Command) -> str | None:
    """Say what is wrong with a command's fields; None when nothing is."""
    shape = SHAPES[command.op]
    given = {name for name, default in _DEFAULTS.items() if getattr(command, name) != default}
    lacking = sorted(shape.needs - given)
    if lacking:
        return f"{command.op} lacks {lacking[0]}"
    surplus = sorted(given - shape.needs - shape.takes)
    if surplus:
        return f"{command.op} takes no {surplus[0]}"
    wrong = _always(command)
    if wrong is not None:
        return wrong
    if command.op in ("approve", "deny") and not _DIGEST.fullmatch(command.target):
        return f"{command.op} names {command.target[:80]!r}, which is no digest of a command"
    if command.op == "resume" and command.target not in RESUMED:
        return f"resume names {command.target[:80]!r}; it must be {' or '.join(RESUMED)}"
    return _plan_fault(command) if command.plan is not None else None


def _always(command: Command) -> str | None:
    """Say what is wrong with what a command of any op must have: a short life, and a reason."""
    lasts_ms = command.expires_at_ms - command.issued_at_ms
    if not 0 < lasts_ms <= LONGEST_MS:
        return f"it is to expire {lasts_ms:,} ms after it was issued; 1 to {LONGEST_MS:,} are allowed"
    return None if command.reason.strip() else f"{command.op} gives no reason"


def _plan_fault(command: Command) -> str | None:
    """Say what is wrong with the steps of a plan; only a canary has some."""
    weights = [step.weight for step in command.plan.steps] if command.plan is not None else []
    if command.op != "canary":
        return f"the plan of {command.op} has steps, which only that of a canary has" if weights else None
    if not 1 <= len(weights) <= MAX_STEPS:
        return f"the plan of a canary has {len(weights)} steps; 1 to {MAX_STEPS} are allowed"
    if weights[0] == 0 or any(later <= earlier for earlier, later in itertools.pairwise(weights)):
        return "the weights of a plan must grow from step to step, from above 0"
    return None


MAX_STEPS: Final = 20
assert set(SHAPES) == set(OPS), "every op has a shape"  # noqa: S101 - holds two tables together at import
