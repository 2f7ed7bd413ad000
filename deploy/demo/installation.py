"""An installation of the demo's own: who holds which key and which role, and the settings that rest on them."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.audit.record import TOPIC, digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.keys import Key, load, new, public_text
from driftline.deploy.control.policies import usable
from driftline.deploy.control.wire import publish
from driftline.deploy.local.discover import as_role
from driftline.schemas.control.trust import Agent, Person, Root, Trust, Witness
from driftline.schemas.settings import Control, Packages, Serve, Settings

if TYPE_CHECKING:
    from pathlib import Path

ENGINEER: Final = "p-1"
VALIDATOR: Final = "p-2"
APPROVERS: Final = ("p-3", "p-4")
OPERATOR: Final = "p-5"
RETRAINING: Final = "p-6"
"""The system that retrains: it may register, and nothing that answers a caller."""
PEOPLE: Final = {
    ENGINEER: ("Ana Ruiz", "engineer"),
    VALIDATOR: ("Val Okafor", "validator"),
    APPROVERS[0]: ("Bo Lind", "approver"),
    APPROVERS[1]: ("Cy Tanaka", "approver"),
    OPERATOR: ("Oli Weber", "operator"),
    RETRAINING: ("the retraining", "automation"),
}
"""Id in the audit -> name, which stays in the trust file, and role."""
ROOTS: Final = ("root-1", "root-2")
CONTROLLER, CHECKPOINTS, AGENT, WITNESS = "controller", "checkpoints", "agent", "witness"
WITNESS_NAME: Final = "demo.example/witness"
TRUSTED_TYPES: Final = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""What the demo's model is made of beyond what skops itself knows to be harmless; the packages do not say it."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What has begun.

    Attributes:
        settings: those of the stack, with the pinned first record, the store of packages and the agent's place.
        folder: of the keys, the store, the agent and the tokens.
        token: what opens the agent's doors for the deployment.
    """

    settings: Settings
    folder: Path
    token: str

    def key(self, whose: str) -> Key:
        """The key of a person or a part."""
        return load(self.key_file(whose))

    def key_file(self, whose: str) -> Path:
        """The file of that key, which its owner alone can read."""
        return _key_file(self.folder, whose)

    def of_controller(self) -> Settings:
        """The settings of the controller: it alone signs states and checkpoints."""
        files = {f"{name}_key": str(self.key_file(f"{of}")) for name, of in _SIGNS.items()}
        return self._with(msgspec.structs.replace(self.settings.control, **files))

    def of_retraining(self) -> Settings:
        """The settings of the worker that retrains, and of what it runs: no key of controller or approvers."""
        return self._with(msgspec.structs.replace(self.settings.control, key=str(self.key_file(RETRAINING))))

    def _with(self, control: Control) -> Settings:
        return msgspec.structs.replace(self.settings, control=control)


_SIGNS: Final = {"controller": CONTROLLER, "checkpoint": CHECKPOINTS}


def establish(settings: Settings, folder: Path, deployment: str) -> Installation:
    """Make every key, say who holds which, and write the first record of the audit.

    Args:
        settings: of the stack.
        folder: where keys, packages and the agent's state go; it must not be there.
        deployment: what the agent serves.

    Raises:
        BrokerError: Kafka does not take the record.
    """
    folder = folder.absolute()
    folder.mkdir(mode=0o700)
    for name in ("keys", "store", "packages"):
        (folder / name).mkdir()
    public = {
        whose: public_text(new(_key_file(folder, whose)).public)
        for whose in (*PEOPLE, *ROOTS, CONTROLLER, CHECKPOINTS, AGENT, WITNESS)
    }
    installation = str(uuid.uuid4())
    trust = Trust(
        installation=installation,
        origin=f"demo.example/{installation}",
        root=Root(threshold=len(ROOTS), keys=tuple(public[name] for name in ROOTS)),
        controllers=(public[CONTROLLER],),
        checkpoints=(public[CHECKPOINTS],),
        persons=tuple(
            Person(
                id=name,
                roles=(role,),
                keys=(public[name],),
                kind="system" if role == "automation" else "human",
            )
            for name, (_, role) in PEOPLE.items()
        ),
        agents=(Agent(id=AGENT, keys=(public[AGENT],), deployments=(deployment,)),),
        witnesses=(Witness(name=WITNESS_NAME, key=public[WITNESS]),),
    )
    _, record = begin(trust, usable(None).text, time.time_ns() // 1_000_000)
    publish(as_role(settings, "controller").kafka, TOPIC, record)
    token = secrets.token_urlsafe(32)
    tokens = folder / "tokens.toml"
    tokens.touch(mode=0o600)
    tokens.write_text(f'[tokens]\n{deployment} = "{token}"\n')
    made = msgspec.structs.replace(
        settings,
        control=Control(genesis=digest(record)),
        packages=Packages(
            store=str(folder / "store"),
            cache_dir=str(folder / "cache"),
            trusted_types=",".join(TRUSTED_TYPES),
        ),
        serve=Serve(
            port=0,
            instance=AGENT,
            key=str(_key_file(folder, AGENT)),
            state_dir=str(folder / "serve"),
            tokens=str(tokens),
            drain_seconds=0.2,
        ),
    )
    return Installation(made, folder, token)


def _key_file(folder: Path, whose: str) -> Path:
    return folder / "keys" / f"{whose}.pem"
