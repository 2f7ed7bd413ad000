"""Users of ClickHouse, from the table of roles, on a server that keeps users by SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.deploy.access.files import password_of
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.users import ROLES, digest_of, statements

if TYPE_CHECKING:
    from pathlib import Path

    from driftline.schemas.settings import Settings


def passwords(folder: Path) -> dict[str, str]:
    """The password of each role; raises AccessError for a file that is missing."""
    return {role.name: password_of(folder, role.name, "clickhouse") for role in ROLES}


def apply(settings: Settings, given: dict[str, str]) -> int:
    """Make the users, their limits and grants those of the table; give how many users.

    Args:
        settings: of someone who may manage access.
        given: role -> password.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    with Client(settings.clickhouse, database="default") as client:
        for role in ROLES:
            for statement in statements(role, settings.clickhouse.database, digest_of(given[role.name])):
                client.command(statement)
    return len(ROLES)
