"""What an agent kept and cannot read again ends it in one sentence, wherever in the file the damage lies."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package
from signed import signed

from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.memory import FILE


def torn(envelope: str) -> str:
    """Return an envelope with one byte of its payload gone wrong, as text."""
    fields = json.loads(envelope)
    payload = base64.b64decode(fields["payload"])
    fields["payload"] = base64.b64encode(payload[:40] + b"\xa0" + payload[41:]).decode()
    return json.dumps(fields)


def payload_of_a_command(kept: dict[str, Any]) -> None:
    """Damage it within its base64, which is whole."""
    local = kept["local"]["churn"][0]
    local["command"] = torn(local["command"])


def half_a_command(kept: dict[str, Any]) -> None:
    """Keep half of an envelope."""
    local = kept["local"]["churn"][0]
    local["command"] = local["command"][:40]


def another_command(kept: dict[str, Any]) -> None:
    """Let one hold that no agent obeys by itself."""
    kept["local"]["churn"][0]["command"] = kept["believed"]["churn"]["state"]["basis"][0]["command"]


def grant_of_a_state(kept: dict[str, Any]) -> None:
    """Damage what a state stands by."""
    grant = kept["believed"]["churn"]["state"]["basis"][0]
    grant["command"] = torn(grant["command"])


def command_to_tell(kept: dict[str, Any]) -> None:
    """Damage what the controller was not told of."""
    kept["untold"][0] = torn(kept["untold"][0])


def half_a_record(kept: dict[str, Any]) -> None:
    """Keep half of a record of the audit."""
    kept["records"][0] = kept["records"][0][:100]


@pytest.mark.parametrize(
    "damage",
    [
        payload_of_a_command,
        half_a_command,
        another_command,
        grant_of_a_state,
        command_to_tell,
        half_a_record,
    ],
)
def test_damage_within_what_was_kept_names_the_file(
    tmp_path: Path, damage: Callable[[dict[str, Any]], None]
) -> None:
    """JSON that is whole may hold commands and records that are not; nothing of it is carried out."""

    async def whole() -> None:
        office = Office("low")
        life = Life(tmp_path, office, Package("1", tier="low"))
        life.hears()
        office.created("1")
        await life.catches_up()
        command = signed(office.build("halt-serving"), "oli").to_bytes().decode()
        life.controlled.command(msgspec.json.encode({"command": command}))
        await life.settled()
        await life.end()
        path = tmp_path / FILE
        kept = json.loads(path.read_bytes())
        damage(kept)
        path.write_text(json.dumps(kept))
        with pytest.raises(
            ServingError, match=rf"^{path} is damaged \([^\n]+\): take it away, and the agent"
        ):
            Life(tmp_path, office, Package("1", tier="low"))

    asyncio.run(whole())
