"""The settings of every deployment on topic `deployment-state`: read to its end, and changed one revision at a time.

Until a controller is the only writer of the topic, two people may change one deployment at once. Each reads the
topic before and after writing, and every reader ignores a record whose revision is not greater than the one before
it; so the second of two equal revisions says nothing, and whoever wrote it finds that and writes the next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.deploy.local.compacted import BrokerError, produce, records
from driftline.deploy.local.errors import StackError
from driftline.schemas.deployment_state import DeploymentState, known_after, next_state, read_record
from driftline.schemas.refusal import Refused
from driftline.schemas.sources import nearest
from driftline.schemas.topics import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.deployment import DeploymentSettings
    from driftline.schemas.settings import Kafka

TRIES: Final = 5


@dataclass(slots=True)
class Held:
    """What the topic holds: the last revisions of each deployment, oldest first, and why some cannot be read."""

    revisions: dict[str, tuple[DeploymentState, ...]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take in the next record of the topic."""
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            self.revisions.pop(name, None)
            self.unreadable.pop(name, None)
            return
        try:
            read = read_record(key, value)
        except Refused as refused:
            self.unreadable[name] = str(refused)
            return
        held = self.revisions.get(name, ())
        known = known_after(held, read)
        if known:
            self.revisions[name] = known
        if known != held:
            self.unreadable.pop(name, None)

    @property
    def states(self) -> dict[str, DeploymentState]:
        """The newest revision of each deployment."""
        return {name: known[-1] for name, known in self.revisions.items()}

    def state(self, deployment: str) -> DeploymentState | None:
        """The newest revision of one deployment; None without one.

        Raises:
            StackError: its newest record cannot be read, so its revision is not known.
        """
        if deployment in self.unreadable:
            raise StackError(
                f"the settings of {deployment!r} cannot be read ({self.unreadable[deployment]}): "
                "use the release of driftline that wrote them"
            )
        return self.states.get(deployment)

    def known(self, deployment: str) -> DeploymentState:
        """The newest revision of one deployment.

        Raises:
            StackError: it has none, or it cannot be read; the sentence names the nearest deployment that has some.
        """
        state = self.state(deployment)
        if state is not None:
            return state
        if not self.states:
            raise StackError(
                "no deployment has settings yet: publish some with 'driftline deployment apply FILE'"
            )
        raise StackError(f"deployment {deployment!r} has no settings{nearest(deployment, self.states)}")


def held(kafka: Kafka) -> Held:
    """Read the topic to its end; raises BrokerError when Kafka or the topic is not there."""
    found = Held()
    for message in records(kafka, STATES):
        found.take(message.key(), message.value())
    return found


def apply(
    kafka: Kafka, settings: DeploymentSettings, *, changed_by: str, now_ms: int, since_ms: int | None = None
) -> tuple[DeploymentState, bool]:
    """Publish settings as the next revision, unless the newest one says the same.

    Args:
        kafka: where Kafka is.
        settings: what shall hold.
        changed_by: who wants it.
        now_ms: the time, ms since 1970.
        since_ms: event time from which it shall hold; None for the default of `next_state`.

    Returns:
        The revision that says so, and whether it was published now.

    Raises:
        BrokerError: Kafka or the topic is not there, or others keep writing in between.
        StackError: what the topic holds cannot be read, or the settings are too large for a record.
    """
    written: DeploymentState | None = None
    for _ in range(TRIES):
        found = held(kafka)
        if written is not None and written in found.revisions.get(settings.deployment, ()):
            return written, True  # though others may have changed it since
        newest = found.state(settings.deployment)
        state = next_state(newest, settings, changed_by=changed_by, now_ms=now_ms, since_ms=since_ms)
        if state is newest:
            return state, False
        produce(
            kafka,
            STATES,
            settings.deployment.encode(),
            _bytes(state, found.revisions.get(settings.deployment, ())),
        )
        written = state
    raise BrokerError(
        f"the settings of {settings.deployment!r} were changed by others {TRIES} times in between: apply them again"
    )


def _bytes(state: DeploymentState, earlier: Sequence[DeploymentState]) -> bytes:
    """The record, with revisions before it; it must be one that readers take: else it would hide what held before."""
    try:
        data = state.to_bytes(earlier)
        DeploymentState.from_bytes(data)
    except Refused as refused:
        raise StackError(
            f"the settings of {state.deployment!r} cannot be published: {refused.detail}"
        ) from refused
    return data
