"""What an agent kept and cannot read again ends it in one sentence, wherever in the file the damage lies."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest
from believing import Life
from office import Office
from served import Package, request, running
from signed import signed

from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.memory import FILE, HEARD, sealed, silent_s


async def halted(folder: Path) -> Office:
    """Let an agent serve version 1, be halted by its own socket, and end; return who publishes its states."""
    office = Office("low")
    life = Life(folder, office, Package("1", tier="low"))
    life.hears()
    office.created("1")
    await life.catches_up()
    command = signed(office.build("halt-serving"), "oli").to_bytes().decode()
    life.controlled.command(msgspec.json.encode({"command": command}))
    await life.settled()
    life.controlled.news()
    await life.end()
    return office


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
        office = await halted(tmp_path)
        path = tmp_path / FILE
        kept = json.loads(path.read_bytes().partition(b"\n")[2])
        damage(kept)
        path.write_bytes(sealed(json.dumps(kept).encode()))
        with pytest.raises(
            ServingError, match=rf"^{path} is damaged \([^\n]+\): take it away, and the agent"
        ):
            Life(tmp_path, office, Package("1", tier="low"))

    asyncio.run(whole())


def test_no_byte_that_a_disk_changed_is_believed(tmp_path: Path) -> None:
    """A halt that is another word would be no halt: whichever byte is another one, or lost, the file is refused."""

    async def whole() -> None:
        office = await halted(tmp_path)
        path = tmp_path / FILE
        good = path.read_bytes()
        assert good.count(b'"local":') == 1
        for bad in (
            good.replace(b'"local":', b'"hocal":'),
            good.replace(b'"champion"', b'"chompion"'),
            b"0" + good[1:] if good[:1] != b"0" else b"1" + good[1:],
            good[:-1],
            good + b"\n",
            good.partition(b"\n")[2],
            b"",
        ):
            path.write_bytes(bad)
            with pytest.raises(ServingError, match=rf"^{path} is damaged \(its digest is another one\)"):
                Life(tmp_path, office, Package("1", tier="low"))
        path.write_bytes(good)
        again = Life(tmp_path, office, Package("1", tier="low"))
        again.controlled.resume()
        await again.settled()
        async with running(again.agent) as port:
            with pytest.raises(HTTPError, match="503") as refused:
                await asyncio.to_thread(
                    urlopen, Request(f"http://127.0.0.1:{port}/v2/models/churn/infer", request())
                )
        assert b"halted by oli" in refused.value.read()
        await again.end()

    asyncio.run(whole())


def test_when_news_came_last_is_not_forgotten_with_a_file(tmp_path: Path) -> None:
    """Without it, it is when what is believed was written; a clock that was set back by a moment silences nobody."""
    for name, at_s in ((FILE, 1_000), (HEARD, 5_000)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at_s, at_s))
    assert silent_s(tmp_path, 6_000_000) == 1_000
    assert silent_s(tmp_path, 4_999_000) == 0
    (tmp_path / HEARD).unlink()
    assert silent_s(tmp_path, 6_000_000) == 5_000
    (tmp_path / FILE).unlink()
    assert silent_s(tmp_path, 6_000_000) == 0
