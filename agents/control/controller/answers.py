"""Answers: what instances say to the newest revision of each deployment, and whether all of them came along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.agents.audit.record import AuditRecord
    from driftline.agents.control.controller.members import Member
    from driftline.schemas.control.ack import Ack

ACKED: Final = "acked"
APPLIED: Final = "applied"
DEGRADED: Final = "degraded"
MAX_ANSWERS: Final = 5_000
"""Of one revision; what comes beyond them is not told."""
MAX_STRANGE: Final = 10_000
"""Refusals of other revisions that are known to be told."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instance said last, and when by its own clock, ms since 1970."""

    outcome: str
    boot_id: str
    reason: str = ""
    at_ms: int = 0


@dataclass(slots=True)
class Round:
    """A revision, and who has answered it.

    Attributes:
        revision, state: which, and the digest of it.
        since_ms: when it was decided.
        answers: by instance.
        told: what the audit says of it: `applied`, `degraded`, or nothing yet.
        count: answers that were told.
    """

    revision: int
    since_ms: int
    state: str | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    told: str = ""
    count: int = 0

    def failures(self, members: Mapping[str, Member]) -> list[str]:
        """A sentence for each live instance that could not, or would not."""
        return [
            f"{name}: {one.reason or one.outcome}"
            for name, one in sorted(self.answers.items())
            if one.outcome in ("failed", "refused") and name in members
        ]

    def is_about(self, revision: object, outcome: object, state: object) -> bool:
        """Whether an answer is to this revision: a refusal names the state, for another may claim its number."""
        return revision == self.revision and (outcome != "refused" or state == self.state)

    def lacking(self, members: Mapping[str, Member], outcome: str) -> list[str]:
        """Instances that have not said so since they started last."""
        return [
            name
            for name, member in sorted(members.items())
            if not _is(self.answers.get(name), outcome, member.boot_id)
        ]


class Answers:
    """The newest round of each deployment; nothing but what the audit tells."""

    def __init__(self) -> None:
        self._rounds: dict[str, Round] = {}
        self._strange: dict[tuple[str, int, str, str], None] = {}

    def round(self, deployment: str) -> Round | None:
        """The round of a deployment's newest revision."""
        return self._rounds.get(deployment)

    def is_news(self, ack: Ack) -> bool:
        """Whether an ack is to be told of: about the newest revision, and not what was said already.

        Of other revisions a refusal alone is news: somebody may have published a state that the controller did not.
        """
        found = self._rounds.get(ack.deployment)
        if found is None or found.count >= MAX_ANSWERS:
            return False
        if not found.is_about(ack.revision, ack.outcome, ack.state):
            strange = (ack.deployment, ack.revision, ack.instance, ack.boot_id)
            return ack.outcome == "refused" and strange not in self._strange
        held = found.answers.get(ack.instance)
        if held is None:
            return True
        # One of before the last is somebody's replay: Kafka keeps the order of what an instance says.
        return ack.at_ms >= held.at_ms and (held.outcome, held.boot_id) != (ack.outcome, ack.boot_id)

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells."""
        detail = record.detail or {}
        if record.revision_after is not None:
            self._rounds[record.deployment] = Round(
                record.revision_after, record.decided_at_ms, record.state_after
            )
            return
        found = self._rounds.get(record.deployment)
        is_ours = found is not None and found.is_about(
            detail.get("revision"), detail.get("outcome"), detail.get("refused_state")
        )
        if record.event == ACKED and not is_ours:
            self._strange[record.deployment, detail["revision"], record.agent, detail["boot_id"]] = None
            if len(self._strange) > MAX_STRANGE:
                del self._strange[next(iter(self._strange))]
        if found is None or not is_ours:
            return
        if record.event == ACKED:
            reason = "; ".join(record.reasons)
            at_ms = detail.get("at_ms", 0)
            found.answers[record.agent] = Answer(detail["outcome"], detail["boot_id"], reason, at_ms)
            found.count += 1
        elif record.event in (APPLIED, DEGRADED):
            found.told = record.event


def _is(answer: Answer | None, outcome: str, boot_id: str) -> bool:
    return answer is not None and (answer.outcome, answer.boot_id) == (outcome, boot_id)
