"""Trust as it is asked: whose key this is, which keys count now, and what a signed change of trust makes of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import is_weak, key_id
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.command import Command
from driftline.schemas.control.trust import Person, Revocation, Trust, TrustState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

T = TypeVar("T")

ROOT: Final = "root"
CONTROLLER: Final = "controller"
"""Who did something, where no person did: no person has such an id."""
ROOT_OPS: Final = frozenset({"trust-set", "key-revoke", "policy-set", "log-reset"})
"""What k root keys sign, on one envelope, and no policy is asked about."""
MAX_REVOCATIONS: Final = 2_000


class Keyring:
    """The keys of one trust state, by id; revoked ones are in none of these.

    Attributes:
        state: of which.
        root, controllers, checkpoints, persons, agents: raw public keys by key id.
        witnesses: raw public keys by the witness's name.
        holders: whose key an id is.
        serving: the agent whose key an id is.
    """

    __slots__ = (
        "agents",
        "checkpoints",
        "controllers",
        "holders",
        "persons",
        "root",
        "serving",
        "state",
        "witnesses",
    )

    def __init__(self, state: TrustState) -> None:
        trust, gone = state.trust, {one.key for one in state.revocations}

        def live(texts: Iterable[str]) -> dict[str, bytes]:
            raw = (public_of(text) for text in texts)
            return {keyid: public for public in raw if (keyid := key_id(public)) not in gone}

        self.state: Final = state
        self.root: Final = live(trust.root.keys)
        self.controllers: Final = live(trust.controllers)
        self.checkpoints: Final = live(trust.checkpoints)
        self.persons: Final = live(text for one in trust.persons for text in one.keys)
        self.agents: Final = live(text for one in trust.agents for text in one.keys)
        self.holders: Final = {keyid: one for one in trust.persons for keyid in live(one.keys)}
        self.serving: Final = {keyid: one for one in trust.agents for keyid in live(one.keys)}
        self.witnesses: Final = {
            one.name: raw for one in trust.witnesses for raw in live((one.key,)).values()
        }

    @property
    def askers(self) -> Mapping[str, bytes]:
        """Keys whose signature makes bytes worth reading as a command: those of persons and of the root."""
        return {**self.persons, **self.root}

    def persons_of(self, keyids: Iterable[str]) -> dict[str, Person]:
        """The persons whose keys these are, by their ids; what is nobody's key, or is revoked, is passed over."""
        return {self.holders[one].id: self.holders[one] for one in keyids if one in self.holders}


def covers(scopes: Iterable[str], deployment: str) -> bool:
    """Whether a list of deployments holds one; `*` holds every one, and so does no other list for the installation.

    >>> covers(("churn",), "churn"), covers(("*",), ""), covers(("churn",), "")
    (True, True, False)
    """
    return any(scope in ("*", deployment) for scope in scopes)


def fault(trust: Trust) -> str | None:
    """Say what is wrong with a trust in itself; None when nothing is."""
    if trust.root.threshold > len(set(trust.root.keys)):
        return f"the root asks for {trust.root.threshold} of {len(set(trust.root.keys))} keys"
    try:
        texts = {public_of(text): text for text in all_keys(trust)}
    except ValueError as error:
        return str(error)
    weak = next((text for public, text in texts.items() if is_weak(public)), None)
    if weak is not None:
        return f"the key {weak} is one for which anybody can sign: no private key makes it"
    twice = _twice(public_of(text) for text in all_keys(trust))
    if twice:
        return f"the key {texts[twice]} is named twice; a key is one holder's alone"
    for what, names in (
        ("person", [one.id for one in trust.persons]),
        ("agent", [one.id for one in trust.agents]),
        ("witness", [one.name for one in trust.witnesses]),
    ):
        name = _twice(names)
        if name:
            return f"the {what} {name} is named twice"
    machine = next((one.id for one in trust.persons if one.id in (ROOT, CONTROLLER)), None)
    return None if machine is None else f"the person {machine} has the name of a machine: choose another id"


def first_state(trust: Trust, policy: str) -> TrustState:
    """The state after the first record of the audit.

    Raises:
        ValueError: the trust is wrong in itself; the message is a sentence.
    """
    wrong = fault(trust)
    if wrong is not None:
        raise ValueError(f"this trust cannot hold: {wrong}")
    return TrustState(version=1, trust=trust, policy=policy_digest(policy))


def policy_digest(text: str) -> str:
    """sha256 of a policy's text, in lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def changed(
    state: TrustState, command: Command, signers: frozenset[str], now_ms: int
) -> TrustState | Refusal:
    """Apply a trust-set, key-revoke or policy-set; whether a policy's text is sound is `policy.sound`'s business.

    Args:
        state: trust before.
        command: what is asked.
        signers: ids of the root keys, of the state before or of the trust that is asked for, whose signatures hold.
        now_ms: when it is decided, ms since 1970.

    Returns:
        Trust after it, or why not: too few root keys signed, the version is another one, or it cannot hold.
    """
    ring = Keyring(state)
    lacking = lacks(ring, signers)
    if lacking is not None:
        return lacking
    if command.expected_revision != state.version:
        wanted = "none" if command.expected_revision is None else str(command.expected_revision)
        return Refusal(
            "revision_conflict", f"trust is at version {state.version}, the command expects {wanted}"
        )
    made = _made(state, command, signers, now_ms)
    return made if isinstance(made, Refusal) else msgspec.structs.replace(made, version=state.version + 1)


def lacks(ring: Keyring, signers: frozenset[str]) -> Refusal | None:
    """Why these signatures are not enough for what k root keys must sign; None when they are."""
    wanted, held = ring.state.trust.root.threshold, len(signers & ring.root.keys())
    if held >= wanted:
        return None
    return Refusal(
        "approvals_missing", f"it carries {held} of the {wanted} signatures of root keys that it needs"
    )


def asked_trust(command: Command) -> Trust | Refusal:
    """The trust that a trust-set asks for, held against itself."""
    if command.trust is None:
        return Refusal("malformed", "a trust-set carries no trust")
    try:
        trust = msgspec.convert(command.trust, type=Trust)
    except msgspec.ValidationError as error:
        return Refusal("malformed", f"the trust that is asked for cannot be read: {error}")
    if msgspec.json.encode(trust, order="sorted") != msgspec.json.encode(command.trust, order="sorted"):
        # Whoever knows the format alone finds what counts in what was signed.
        return Refusal("malformed", "the trust that is asked for leaves fields out: sign it whole")
    wrong = fault(trust)
    return trust if wrong is None else Refusal("precondition_failed", f"this trust cannot hold: {wrong}")


def _made(state: TrustState, command: Command, signers: frozenset[str], now_ms: int) -> TrustState | Refusal:
    if command.op == "trust-set":
        return _replaced(state, command, signers)
    if command.op == "key-revoke":
        return _revoked(state, command, now_ms)
    if command.op == "policy-set" and command.policy is not None:
        return msgspec.structs.replace(state, policy=policy_digest(command.policy))
    return Refusal("malformed", f"{command.op} does not say what to set")


def _replaced(state: TrustState, command: Command, signers: frozenset[str]) -> TrustState | Refusal:
    asked = asked_trust(command)
    if isinstance(asked, Refusal):
        return asked
    if (asked.installation, asked.origin) != (state.trust.installation, state.trust.origin):
        return Refusal("precondition_failed", "the installation's id and the log's origin never change")
    gone = {one.key for one in state.revocations}
    back = [text for text in all_keys(asked) if key_id(public_of(text)) in gone]
    if back:
        return Refusal("precondition_failed", f"the key {back[0]} was revoked and cannot come back")
    after = msgspec.structs.replace(state, trust=asked)
    if asked.root != state.trust.root:
        # A root that cannot sign would be the last one.
        lacking = lacks(Keyring(after), signers)
        if lacking is not None:
            return Refusal(lacking.code, f"of the new root, {lacking.sentence}")
    return after


def _revoked(state: TrustState, command: Command, now_ms: int) -> TrustState | Refusal:
    if command.key is None:
        return Refusal("malformed", "a key-revoke names no key")
    if any(one.key == command.key for one in state.revocations):
        return Refusal("precondition_failed", f"the key {command.key[:16]} is revoked already")
    if command.key not in {key_id(public_of(text)) for text in all_keys(state.trust)}:
        return Refusal("precondition_failed", f"no key has the id {command.key}")
    if len(state.revocations) >= MAX_REVOCATIONS:
        return Refusal("precondition_failed", f"{MAX_REVOCATIONS} keys are revoked, which is the most")
    made = Revocation(
        key=command.key, revoked_at_ms=now_ms, compromised_since_ms=command.compromised_since_ms
    )
    after = msgspec.structs.replace(state, revocations=(*state.revocations, made))
    last = _last_one(Keyring(after))
    return after if last is None else Refusal("precondition_failed", last)


def _last_one(ring: Keyring) -> str | None:
    """Why a revocation that leaves these keys would be the last change of trust; None when another can follow."""
    if len(ring.root) < ring.state.trust.root.threshold:
        return (
            "fewer root keys than the threshold would be left, and nobody could change trust again: "
            "set a trust with another root first"
        )
    for what, left in (("states", ring.controllers), ("checkpoints", ring.checkpoints)):
        if not left:
            return (
                f"no key would be left that signs {what}, and no controller could decide anything again: "
                "set a trust with another one beside it first, and start the controller with that"
            )
    return None


def all_keys(trust: Trust) -> Iterator[str]:
    """Every public key that a trust names, as its text."""
    yield from trust.root.keys
    yield from trust.controllers
    yield from trust.checkpoints
    yield from (key for one in trust.persons for key in one.keys)
    yield from (key for one in trust.agents for key in one.keys)
    yield from (one.key for one in trust.witnesses)


def _twice(names: Iterable[T]) -> T | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)
