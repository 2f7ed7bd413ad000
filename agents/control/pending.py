"""Pending: commands that wait for approvals, who approved them, and what was done with the glass broken.

Approvals and denials name the digest of a command's payload, so they can be for nothing else. Persons are counted,
never keys, and never the one who asked. What is counted is counted again when the command takes effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.control.serving_state import TIERS, Grant, Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from driftline.agents.control.trust import Keyring
    from driftline.schemas.control.trust import Person

_HOUR_MS: Final = 3_600_000
LIMIT_MS: Final = 72 * _HOUR_MS
"""How long a command waits for approvals at most, whatever its tier, ms; agents know this bound alone."""
LIMITS_MS: Final[Mapping[Tier, int]] = MappingProxyType(dict.fromkeys(TIERS, LIMIT_MS))
"""How long a command of each tier waits for approvals, where the controller's settings say nothing else, ms."""
REVIEW_MS: Final = 72 * _HOUR_MS
"""Within what time another person reviews what was done with the glass broken, ms."""
MAX_WAITING: Final = 500
MAX_WAITING_OF_ONE: Final = 50
MAX_REVIEWS: Final = 500


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word for a command; `signers` are the keys that gave it."""

    person: str
    signers: frozenset[str]
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command that waits.

    Attributes:
        command, envelope, digest: it.
        by: id of the person who asked.
        signers: keys that signed it.
        since_ms: when it was found to wait, ms since 1970.
        until_ms: until when it does.
        approvals: so far, one a person.
    """

    command: Command
    envelope: Envelope
    digest: str
    by: str
    signers: frozenset[str]
    since_ms: int
    until_ms: int
    approvals: tuple[Approval, ...] = ()

    def asker(self, ring: Keyring) -> Person | None:
        """The person who asked, if a key that signed still is theirs."""
        return ring.persons_of(self.signers).get(self.by)

    def counted(self, ring: Keyring) -> tuple[tuple[Approval, Person], ...]:
        """Approvals that count now: of other persons, whose keys still are theirs."""
        found = (
            (one, ring.persons_of(one.signers).get(one.person))
            for one in self.approvals
            if one.person != self.by
        )
        return tuple((one, person) for one, person in found if person is not None)

    def grant(self, approvals: Sequence[Approval], tier: Tier) -> Grant:
        """The command and the approvals that count, as a state carries them, with the tier that decides."""
        texts = tuple(one.envelope.to_bytes().decode() for one in approvals)
        return Grant(of="change", command=self.envelope.to_bytes().decode(), approvals=texts, tier=tier)


@dataclass(frozen=True, slots=True)
class Review:
    """What was done with the glass broken: another person says that they looked at it."""

    digest: str
    deployment: str
    by: str
    until_ms: int


class Book:
    """All that waits, and all that is to be reviewed; both are bounded."""

    __slots__ = ("_reviews", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._reviews: dict[str, Review] = {}

    def __iter__(self) -> Iterator[Waiting]:
        """Yield what waits, the longest first."""
        return iter(tuple(self._waiting.values()))

    @property
    def reviews(self) -> tuple[Review, ...]:
        """What is to be reviewed."""
        return tuple(self._reviews.values())

    def waiting(self, digest: str) -> Waiting | None:
        """The command of a digest, if it waits."""
        return self._waiting.get(digest)

    def review(self, digest: str) -> Review | None:
        """What is to be reviewed of a digest."""
        return self._reviews.get(digest)

    def no_room(self, by: str) -> Refusal | None:
        """Why nothing more of a person may wait; None when it may."""
        if len(self._waiting) >= MAX_WAITING:
            return Refusal(
                "precondition_failed", f"{MAX_WAITING} commands wait for approvals, which is the most"
            )
        if sum(one.by == by for one in self) >= MAX_WAITING_OF_ONE:
            return Refusal(
                "precondition_failed", f"{MAX_WAITING_OF_ONE} commands of {by} wait, which is the most"
            )
        return None

    def no_more_glass(self) -> Refusal | None:
        """Why no more may be done with the glass broken; None when it may."""
        if len(self._reviews) < MAX_REVIEWS:
            return None
        return Refusal(
            "precondition_failed", f"{MAX_REVIEWS} uses of broken glass are not reviewed, which is the most"
        )

    def vote(self, digest: str, by: str, *, is_denial: bool = False) -> Refusal | None:
        """Why a person's approval or denial counts nothing; None when it does."""
        found = self.waiting(digest)
        asked_by = found.by if found is not None else None
        if found is None:
            review = self.review(digest)
            asked_by = review.by if review is not None else None
        if asked_by is None:
            return Refusal("precondition_failed", f"no command with the digest {digest} waits")
        if asked_by == by and not (is_denial and found is not None):
            return Refusal("forbidden", f"{by} asked for it; another person must approve or deny it")
        # Who approved may still see harm, and deny.
        if found is not None and not is_denial and any(one.person == by for one in found.approvals):
            return Refusal(
                "precondition_failed", f"{by} has approved it already; persons are counted, not keys"
            )
        return None

    def overdue(self, deployment: str, now_ms: int) -> Review | None:
        """A review of a deployment that should have been; None when there is none."""
        found = (
            one for one in self._reviews.values() if one.deployment == deployment and one.until_ms < now_ms
        )
        return next(found, None)

    def lapsed(self, now_ms: int) -> tuple[Waiting, ...]:
        """What waited for too long."""
        return tuple(one for one in self if one.until_ms < now_ms)

    def wait(self, waiting: Waiting) -> None:
        """Let a command wait."""
        self._waiting[waiting.digest] = waiting

    def approve(self, digest: str, approval: Approval) -> None:
        """Count a person's word."""
        found = self._waiting[digest]
        self._waiting[digest] = replace(found, approvals=(*found.approvals, approval))

    def let_go(self, digest: str) -> None:
        """A command waits no more, or what was done is reviewed."""
        self._waiting.pop(digest, None)
        self._reviews.pop(digest, None)

    def look_at(self, review: Review) -> None:
        """Let something be reviewed."""
        self._reviews[review.digest] = review
