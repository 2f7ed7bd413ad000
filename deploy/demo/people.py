"""Who hears of the flights: the settings of the deployment, a receiver, an Alertmanager, and the file of routes."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.demo.alertmanager import PROGRAM, Alertmanager, installed
from driftline.deploy.demo.receiver import DIRECT, PASSED_ON, Heard, receiving
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.ports import free_port
from driftline.schemas.deployment import AlertRule, Contact, DeploymentSettings
from driftline.schemas.settings import Alerts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ROUTE: Final = "arrivals-chat"
THROUGH: Final = "alertmanager"
RESEND_S: Final = 2.0
"""How often Alertmanager hears again of what fires: a month of the demo takes a second."""


@dataclass(frozen=True, slots=True)
class People:
    """Who is there to be told.

    Attributes:
        heard: what the receiver has heard.
        alerts: settings of the alerts worker, which name the file of routes.
        has_alertmanager: whether a real Alertmanager runs and is told too.
    """

    heard: Heard
    alerts: Alerts
    has_alertmanager: bool


@contextmanager
def people(folder: Path, say: Callable[[str], None]) -> Iterator[People]:
    """Run the receiver, and Alertmanager where it is installed, until the end of the demo.

    Args:
        folder: of the demo; the secret and the file of routes are written there.
        say: told who listens.

    Raises:
        StackError: Alertmanager is installed and does not start.
    """
    secret = folder / "receiver.secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_hex(32))
    with ExitStack() as running:
        address, heard = running.enter_context(receiving(secret.read_bytes()))
        routes = {ROUTE: {"webhook": address + DIRECT, "secret_file": str(secret.absolute())}}
        program = installed()
        if program is not None:
            log = DataDirectory(folder).log("alertmanager")
            part = Alertmanager(program, folder / "alertmanager", free_port(set()), address + PASSED_ON, log)
            running.callback(part.stop)
            part.start()
            routes[THROUGH] = {"alertmanager": part.address, "everything": "true"}
        beside = (
            "a real Alertmanager beside it"
            if program
            else f"no Alertmanager beside it: apt install {PROGRAM}"
        )
        say(f"alerts go to a receiver on loopback that checks their signatures; {beside}")
        file = folder / "routes.toml"
        file.write_text("\n".join(_table(name, keys) for name, keys in routes.items()))
        told = Alerts(routes=str(file.absolute()), resend_seconds=RESEND_S)
        yield People(heard, told, has_alertmanager=program is not None)


def _table(name: str, keys: Mapping[str, str]) -> str:
    """One route as TOML; a text of JSON is one of TOML."""
    lines = (
        f"{key} = {word if word == 'true' else msgspec.json.encode(word).decode()}"
        for key, word in keys.items()
    )
    return f"[{name}]\n" + "\n".join(lines) + "\n"


def wishes(deployment: str, importance: Mapping[str, float]) -> DeploymentSettings:
    """What the people behind the flights want: months are looked at, and one bad month is enough to say so.

    Args:
        deployment: its name.
        importance: feature -> how much the model leans on it.
    """
    return DeploymentSettings(
        deployment=deployment,
        owner="Ana Ruiz",
        team="arrivals",
        runbook="https://wiki.example.org/flights",
        importance="high",
        contacts=(Contact(route=ROUTE),),
        alerts=AlertRule(resolution="1M", k=1, m=1),
        feature_importance=dict(importance),
    )
