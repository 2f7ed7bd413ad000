"""Configured: the settings of each deployment, as the signed commands in the audit make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.audit.record import EFFECTIVE
from driftline.agents.control.controller.errors import ControllerError
from driftline.schemas.control.command import Command
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.deployment_file import parse_deployment
from driftline.schemas.deployment_state import DeploymentState, defaults, known_after, next_state
from driftline.schemas.wire import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.agents.audit.record import AuditRecord
    from driftline.schemas.deployment import DeploymentSettings

INHERITED: Final = "inherited"
"""The event that takes over what was published before a controller was; once, the first thing it tells."""
MOST_BYTES: Final = 400_000
"""Of inherited settings as they travel: what serves, of up to half a megabyte, finds room beside them."""
INHERITED_BYTES: Final = 500_000
"""Of the settings in one record of what is inherited; the audit takes records of twice that."""
NAME: Final = "the settings of this command"


class Configured:
    """Revisions of settings by deployment, oldest first."""

    def __init__(self) -> None:
        self.revisions: dict[str, tuple[DeploymentState, ...]] = {}
        self.has_inherited = False

    def record(self, deployment: str, serving: bytes | None) -> bytes:
        """The record of `deployment-state`: the settings with those before them, and what serves.

        Raises:
            Refused: it is too large.
        """
        return self.newest(deployment).to_bytes(self.revisions.get(deployment, ())[:-1], serving)

    def newest(self, deployment: str) -> DeploymentState:
        """The newest revision of a deployment's settings; that of the defaults when nobody asked for any."""
        known = self.revisions.get(deployment, ())
        return known[-1] if known else defaults(deployment)

    def take(self, record: AuditRecord) -> None:
        """Take in what the audit tells."""
        if record.event == INHERITED:
            self.has_inherited = True
            for name, revisions in (record.detail or {}).items():
                self.revisions[name] = msgspec.convert(revisions, tuple[DeploymentState, ...])
        elif record.event == EFFECTIVE and record.op == "configure":
            command = Command.from_bytes(Envelope.from_bytes((record.envelope or "").encode()).body)
            held = self.revisions.get(record.deployment, ())
            made = next_state(
                held[-1] if held else None,
                settings_of(command),
                changed_by=record.actor,
                now_ms=record.decided_at_ms,
                since_ms=int(command.target) if command.target else None,
            )
            self.revisions[record.deployment] = known_after(held, (made,))


def inherited(revisions: Mapping[str, tuple[DeploymentState, ...]]) -> Iterator[dict[str, Any]]:
    """What is inherited as the `detail` of records, each of bounded size; one empty one when nothing is.

    Of a deployment whose revisions are too many for a record the oldest are left out, as in `deployment-state`.

    Raises:
        ControllerError: the settings of a deployment are so large that what serves would find no room beside them.
    """
    detail: dict[str, Any] = {}
    size = 0
    for name, held in revisions.items():
        size_bytes = len(held[-1].to_bytes())
        if size_bytes > MOST_BYTES:
            raise ControllerError(
                f"the settings of {name} take {size_bytes:,} bytes, and under control {MOST_BYTES:,} are allowed: "
                "publish smaller ones with 'driftline deployment apply' from where no genesis is set, and start again"
            )
        told = msgspec.to_builtins(held)
        while len(told) > 1 and len(msgspec.json.encode(told)) > INHERITED_BYTES:
            told = told[1:]
        more = len(msgspec.json.encode(told))
        if detail and size + more > INHERITED_BYTES:
            yield detail
            detail, size = {}, 0
        detail[name] = told
        size += more
    yield detail


def settings_of(command: Command) -> DeploymentSettings:
    """The settings that a configure asks for; raises SettingsError for what is not allowed."""
    return parse_deployment(command.settings or {}, NAME)


def is_time(text: str) -> bool:
    """Whether a text is a time in ms since 1970, as a configure names it."""
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) < MAX_TIME_MS


_DIGITS: Final = 13
