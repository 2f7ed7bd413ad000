"""Targets: what a rollback goes back to when nobody names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.deploy.control.errors import AskingError

if TYPE_CHECKING:
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState


def target(state: ServingState) -> ModelRef:
    """The champion while a canary is on its way, else the champion before it.

    Raises:
        AskingError: there is neither; a version must be named.
    """
    found = state.champion if state.rollout is not None else state.previous
    if found is None:
        raise AskingError(
            f"{state.deployment} holds no previous champion any more: name the version to go back to"
        )
    return found
