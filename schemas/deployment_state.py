"""DeploymentState: the record of topic `deployment-state`, one revision of a deployment's settings and some before."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from driftline.schemas import codec
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_rules import contradiction
from driftline.schemas.refusal import Refused
from driftline.schemas.wire import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEPT: Final = 8
"""Revisions known of a deployment, the newest among them; windows older than the first are judged with that one."""
_RECORD: Final = "DeploymentState"

Moment = Annotated[int, msgspec.Meta(ge=0, lt=MAX_TIME_MS)]


class DeploymentState(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of the settings of a deployment.

    Attributes:
        deployment: name of the deployment, the key of the record.
        revision: 1 for the first, then one more each time; 0 for the defaults that nobody published.
        since_ms: first moment of event time they hold for, ms since 1970; 0 for all of the past.
        changed_by: who did it.
        changed_at_ms: when, by the clock of whoever did it, ms since 1970.
        settings: what holds.
    """

    deployment: str
    revision: Annotated[int, msgspec.Meta(ge=0)]
    since_ms: Moment
    changed_by: str
    changed_at_ms: Moment
    settings: DeploymentSettings

    def to_bytes(self, earlier: Sequence[DeploymentState] = (), serving: bytes | None = None) -> bytes:
        """Give the Avro single-object encoding (record `DeploymentState`).

        Args:
            earlier: the revisions before it, oldest first; the last `KEPT` - 1 of them travel with it, fewer where
                the record would become too large.
            serving: what serves, in the envelope that the controller signed.

        Raises:
            Refused: it is too large by itself.
        """
        told = [msgspec.to_builtins(state) for state in earlier[-(KEPT - 1) :]]
        for each in told:
            del each["deployment"]
        while True:
            try:
                return codec.encode(
                    _RECORD, {**msgspec.to_builtins(self), "earlier": told, "serving": serving}
                )
            except Refused as refused:
                if refused.reason != "too_large" or not told:
                    raise
                del told[0]

    @classmethod
    def from_bytes(cls, data: bytes) -> DeploymentState:
        """Read what `to_bytes` wrote, without the revisions before it.

        Raises:
            Refused: when the bytes are no such record, or hold settings that are not allowed.
        """
        return _allowed(codec.decode_as(_RECORD, data))


def read_record(key: bytes | None, value: bytes) -> tuple[DeploymentState, ...]:
    """Read a record of the topic: its revision, after those before it that travel with it, oldest first.

    One before it that this release does not allow is left out. Nothing is read from a record of what serves in a
    deployment whose settings nobody published.

    Raises:
        Refused: as `from_bytes` does, and when its key is another deployment.
    """
    record = codec.decode_as(_RECORD, value)
    if record["revision"] == 0 and record["serving"] is not None and record["deployment"].encode() == key:
        return ()
    state = _allowed(record)
    if state.deployment.encode() != key:
        raise Refused("wrong_key", f"settings of {state.deployment!r} lie under the key {key!r}")
    known = {state.revision: state}
    for each in record["earlier"]:
        with contextlib.suppress(Refused):
            one = _allowed({**each, "deployment": state.deployment})
            if one.revision < state.revision:
                known[one.revision] = one
    return tuple(known[revision] for revision in sorted(known))


def serving_of(key: bytes | None, value: bytes) -> bytes | None:
    """The envelope of what serves, unbelieved, that a record of the topic carries; None when it carries none.

    Raises:
        Refused: the bytes are no such record, or lie under another key.
    """
    record = codec.decode_as(_RECORD, value)
    if record["deployment"].encode() != key:
        raise Refused("wrong_key", f"the state of {record['deployment']!r} lies under the key {key!r}")
    serving = record["serving"]
    return serving if isinstance(serving, bytes) else None


def _allowed(record: dict[str, Any]) -> DeploymentState:
    try:
        state = msgspec.convert(record, DeploymentState)
    except msgspec.ValidationError as error:
        raise Refused("impossible_value", f"settings of {record['deployment']!r}: {error}") from error
    wrong = contradiction(state.settings)
    if wrong is not None:
        raise Refused("impossible_value", f"settings of {state.deployment!r}: {wrong[0]} {wrong[1]}")
    if state.settings.deployment != state.deployment or state.revision < 1:
        held = f"revision {state.revision} of {state.deployment!r}"
        raise Refused("impossible_value", f"{held} holds settings of {state.settings.deployment!r}")
    return state


def defaults(deployment: str) -> DeploymentState:
    """What holds for a deployment without published settings: revision 0."""
    return DeploymentState(
        deployment=deployment,
        revision=0,
        since_ms=0,
        changed_by="",
        changed_at_ms=0,
        settings=DeploymentSettings(deployment=deployment),
    )


def next_state(
    held: DeploymentState | None,
    settings: DeploymentSettings,
    *,
    changed_by: str,
    now_ms: int,
    since_ms: int | None = None,
) -> DeploymentState:
    """The revision that follows the one held, or that very object when it says the same already.

    Args:
        held: the newest revision; None for a deployment without settings.
        settings: what shall hold.
        changed_by: who wants it.
        now_ms: the time, ms since 1970.
        since_ms: event time from which it shall hold. None means from now on, and for the first revision always, so
            that the past of a stream that is read only now is judged by what was said about it.
    """
    if held is not None and held.settings == settings and since_ms in (None, held.since_ms):
        return held
    if since_ms is None:
        since_ms = 0 if held is None else now_ms
    return DeploymentState(
        deployment=settings.deployment,
        revision=1 if held is None else held.revision + 1,
        since_ms=since_ms,
        changed_by=changed_by,
        changed_at_ms=now_ms,
        settings=settings,
    )


def follows(state: DeploymentState, held: DeploymentState | None) -> bool:
    """Whether a record says something after the one held; of two with one revision the first holds.

    So two writers that did not know of each other never leave readers of two minds.
    """
    return held is None or state.revision > held.revision


def known_after(
    held: Sequence[DeploymentState], read: Sequence[DeploymentState]
) -> tuple[DeploymentState, ...]:
    """The last `KEPT` revisions known after a record was read, oldest first.

    Args:
        held: those known before; they stay as they are when the record says nothing, and of two with one revision
            theirs holds.
        read: what `read_record` gave.
    """
    if not read or not follows(read[-1], held[-1] if held else None):
        return tuple(held)
    known = {state.revision: state for state in (*read, *held)}
    return tuple(known[revision] for revision in sorted(known))[-KEPT:]


def in_force(revisions: Iterable[DeploymentState], at_ms: int) -> DeploymentState | None:
    """The greatest revision that holds at an event time; before all of them the least, since it is what is known."""
    known = list(revisions)
    holding = [state for state in known if state.since_ms <= at_ms]
    if holding:
        return max(holding, key=lambda state: state.revision)
    return min(known, key=lambda state: state.revision, default=None)
