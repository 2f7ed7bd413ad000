"""Teams: who is told, as a file of the installation says: for each team a receiver that wakes and one that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.deploy.rules.errors import RulesError
from driftline.schemas.routes import Address
from driftline.schemas.sources import read_document

if TYPE_CHECKING:
    from pathlib import Path

Receiver = str | dict[str, list[dict[str, Any]]]
"""The address of a webhook, or what Alertmanager's own file says below a receiver: `slack_configs` and the like."""
PLATFORM: Final = "platform"
"""Who runs driftline; also told of deployments without a team."""


class Team(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One team.

    Attributes:
        page: wakes somebody.
        ticket: waits for the next working day.
    """

    page: Receiver
    ticket: Receiver

    def __post_init__(self) -> None:
        # Not in the types: msgspec 0.22 crashes as it frees a union of a text with a pattern and a mapping.
        for one in (self.page, self.ticket):
            if isinstance(one, str):
                msgspec.convert(one, Address)


class Teams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody who is told.

    Attributes:
        platform: who runs driftline; hears of the pipeline, and of deployments whose team is not named here.
        teams: by the name that the settings of deployments say under `team`.
    """

    platform: Team
    teams: dict[str, Team] = {}


def read_teams(path: Path) -> Teams:
    """Read the file.

    Raises:
        RulesError: it says something that is not allowed, in one sentence.
        SettingsError: it cannot be read, or is no TOML.
    """
    try:
        found = msgspec.convert(read_document(path), Teams)
    except msgspec.ValidationError as error:
        raise RulesError(f"{path}: {error}; docs/monitoring.md shows such a file") from error
    if PLATFORM in found.teams:
        raise RulesError(
            f"{path}: no team can be called {PLATFORM!r}, which is who runs driftline: rename it"
        )
    return found
