"""What tests of control share: keys made from a word, a small installation, commands signed by its persons."""

from __future__ import annotations

import hashlib
import uuid
from functools import cache
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization

from driftline.agents.control.keys import Key, of_seed, public_text
from driftline.agents.control.policy import Policy, default_policy
from driftline.agents.control.signing import sign
from driftline.schemas.control.command import Command, ModelRef, Op
from driftline.schemas.control.envelope import COMMAND, Envelope
from driftline.schemas.control.trust import Agent, Person, Root, Trust, Witness

INSTALLATION: Final = "01890000-0000-7000-8000-00000000000a"
NOW_MS: Final = 1_800_000_000_000


@cache
def key(word: str) -> Key:
    """Return the key of a word."""
    return of_seed(hashlib.sha256(word.encode()).digest())


def pem(word: str) -> bytes:
    """Return the key file of a word."""
    return key(word)._private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def text(word: str) -> str:
    """Return the public key of a word as trust files hold it."""
    return public_text(key(word).public)


def person(name: str, *roles: str, keys: tuple[str, ...] = (), **fields: Any) -> Person:
    """Return a person whose one key is that of their id, unless other words are given."""
    return Person(id=name, roles=roles, keys=tuple(text(word) for word in keys or (name,)), **fields)


def trust(**fields: Any) -> Trust:
    """Return a small installation: a root of 2 of 3, two engineers, two approvers, a validator and others."""
    whole: dict[str, Any] = {
        "installation": INSTALLATION,
        "origin": "driftline.example/test",
        "root": Root(threshold=2, keys=(text("root-1"), text("root-2"), text("root-3"))),
        "controllers": (text("controller"),),
        "checkpoints": (text("checkpoint"),),
        "persons": (
            person("ann", "engineer"),
            person("eve", "engineer", "validator", "approver"),
            person("val", "validator"),
            person("bob", "approver", keys=("bob", "bob-2")),
            person("cat", "approver"),
            person("oli", "operator"),
            person("sue", "steward"),
            person("bot", "automation", kind="system"),
            person("far", "engineer", "operator", deployments=("fraud",)),
        ),
        "agents": (Agent(id="serving-1", keys=(text("serving-1"),)),),
        "witnesses": (Witness(name="witness.example/1", key=text("witness")),),
    }
    return Trust(**{**whole, **fields})


@cache
def policy() -> Policy:
    """Return the packaged policy."""
    return default_policy()


def model(version: str) -> ModelRef:
    """Return a package of deployment `churn`."""
    return ModelRef(name="churn", version=version, manifest=hashlib.sha256(version.encode()).hexdigest())


def number(word: str) -> str:
    """Return a UUID made from a word."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, word))


_COUNT = iter(range(10**9))


def command(op: Op, deployment: str = "churn", *, at_ms: int = NOW_MS, **fields: Any) -> Command:
    """Return a command with an id and a nonce of its own; arguments replace fields."""
    count = next(_COUNT)
    whole: dict[str, Any] = {
        "command_id": number(f"command {count}"),
        "op": op,
        "audience": INSTALLATION,
        "issued_at_ms": at_ms,
        "expires_at_ms": at_ms + 600_000,
        "nonce": hashlib.md5(str(count).encode(), usedforsecurity=False).hexdigest(),
        "reason": "because",
        "deployment": deployment,
    }
    return Command(**{**whole, **fields})


def signed(asked: Command, *words: str) -> Envelope:
    """Return a command in its envelope, signed by the keys of these words."""
    return sign(COMMAND, asked.to_bytes(), *(key(word) for word in words))


def plain(value: Any) -> Any:
    """Return a struct as commands carry it."""
    return msgspec.to_builtins(value)
