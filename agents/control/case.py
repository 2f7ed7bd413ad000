"""Case: a state that is looked at, what it is held against, and the grants that are found in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.agents.control.grants import asked
from driftline.agents.control.tiers import judged_by
from driftline.agents.control.warrant import Warrant, WarrantError, names, warranted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from driftline.agents.control.history import History
    from driftline.agents.control.marks import Marks
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import Grant, ServingState, Standing, Tier


@dataclass(frozen=True, slots=True)
class Case:
    """A state that is looked at, and what it is held against.

    Attributes:
        state: it.
        before: what was believed before; None on a first start.
        marks: of what was believed before.
        history: of trust and policy.
        tiers: of manifests that are known, by their digests.
        ended: digests of commands and approvals that were denied, refused or lapsed.
        stood: commands and approvals that were believed before; keys that were revoked since count in them.
        now_ms: by the agent's clock, ms since 1970.
    """

    state: ServingState
    before: ServingState | None
    marks: Marks
    history: History
    tiers: Mapping[str, Tier]
    ended: Collection[str]
    stood: Collection[tuple[str, tuple[str, ...]]]
    now_ms: int

    def one(self, of: Standing, model: ModelRef | None, *ops: str) -> Warrant:
        """The grant of something that stands; WarrantError when there is none."""
        found = self.found(of, model, *ops)
        if found is None:
            what = "" if model is None else f" of version {model.version}"
            raise WarrantError(f"no {' or '.join(ops)}{what} is shown for the {of}")
        return found

    def found(self, of: Standing, model: ModelRef | None, *ops: str) -> Warrant | None:
        """The grant of something that stands, if the state carries it for this model; WarrantError when it is false."""
        stands = (one for one in self.state.basis if one.of == of and names(one, model, ops))
        grant = next(stands, None)
        return None if grant is None else self.granted(grant)

    def granted(self, grant: Grant) -> Warrant:
        """A grant of the state, or of the one before, as it was checked; WarrantError when it is false."""
        stood = (grant.command, grant.approvals) in self.stood
        tier = judged_by(self.state, grant, asked(grant.command), None if stood else self.marks)
        found = warranted(grant, self.history, tier, stood=stood)
        must(
            found.command.deployment == self.state.deployment,
            f"a command for {found.command.deployment} is shown for {self.state.deployment}",
        )
        must(
            not found.is_over(self.ended),
            f"a {found.command.op} is shown that was denied, refused or lapsed, or an approval of it that was refused",
        )
        must(found.expected < self.state.revision, "a command expects a later revision than the state's")
        return found

    def fresh(self, warrant: Warrant) -> None:
        """Check that what was not so in the state before could have come to be so since; on a first start all could."""
        before = self.before
        if before is None:
            return
        # The state before may be dated back too; what was stored of old has no latest time.
        latest_ms = max(before.decided_at_ms, self.marks.latest_ms)
        must(
            warrant.until_ms >= latest_ms,
            f"a command to {warrant.command.op} is shown that lapsed before the last state was decided",
        )
        must(
            warrant.command.expected_revision is None
            or warrant.expected >= before.revision
            or warrant.digest == before.change,
            f"a command to {warrant.command.op} is shown that had its effect, or was refused, before revision "
            f"{before.revision}",
        )


def must(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise WarrantError with a sentence unless something holds."""
    if not holds:
        raise WarrantError(sentence)
