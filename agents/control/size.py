"""Size: how large the state of a deployment may become by the envelopes that it carries; room is kept for halts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.control.lifecycle import INTERRUPTING
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.envelope import MAX_BYTES, STATE_MAX_BYTES

if TYPE_CHECKING:
    from driftline.schemas.control.command import Op
    from driftline.schemas.control.serving_state import ServingState

MOST_BYTES: Final = STATE_MAX_BYTES * 3 // 4 - 4_096
"""Of a state: its envelope has it in base64, beside a signature."""
USUAL_BYTES: Final = MOST_BYTES - 4 * MAX_BYTES
"""What a command may fill; a halt of serving, one of a rollout and a rollback still find room after it."""


def too_large(op: Op, before: ServingState | None, after: ServingState) -> Refusal | None:
    """Why a command cannot take effect: agents would not read the state that it makes; None when they do.

    Args:
        op: of the command.
        before: the state before it, if any; what makes a state no larger is not refused.
        after: the state that it makes.
    """
    allowed = MOST_BYTES if op in INTERRUPTING else USUAL_BYTES
    size = len(after.to_bytes())
    if size <= allowed or (before is not None and size <= len(before.to_bytes())):
        return None
    return Refusal(
        "too_large",
        f"the state of {after.deployment} would have {size:,} bytes with this command and its approvals, and "
        f"{allowed:,} are allowed: give shorter reasons, or retire shadows first",
    )
