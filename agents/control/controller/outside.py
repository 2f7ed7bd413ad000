"""Outside: what commands bring and name beyond the desk: manifests with their profiles, settings, topics."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from driftline.agents.control.controller.configured import configure_fault
from driftline.agents.control.judge import Facts
from driftline.agents.control.verdicts import Refusal
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.signed import Signed, opened_manifest
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.control.trust import Keyring
    from driftline.agents.serving.package.store import Store
    from driftline.schemas.control.command import Command

MAX_PROFILE_BYTES = 8_000_000


class Outside:
    """Looks at commands.

    Args:
        topic_id: gives the id of the topic of commands as it is now.
        store: where packages are kept; None where profiles are published by hand.

    Attributes:
        ring: gives the keys that count now; set once there is a desk.
    """

    def __init__(self, topic_id: Callable[[], str], store: Store | None) -> None:
        self._topic_id, self._store = topic_id, store
        self._fetched: tuple[str, bytes] | None = None
        self.ring: Callable[[], Keyring] | None = None

    def look(self, command: Command) -> Facts | Refusal:
        """Give what is known of a command beyond the desk, or why it cannot be."""
        if command.op == "register":
            return self._register(command)
        wrong = None
        if command.op == "configure":
            wrong = configure_fault(command)
        elif command.op == "log-reset" and command.target != self._topic_id():
            wrong = Refusal(
                "precondition_failed",
                f"the topic of commands has the id {self._topic_id()}, not {command.target[:80]}",
            )
        return Facts() if wrong is None else wrong

    def profile(self, command: Command) -> bytes | None:
        """The profile of a register that was looked at, as it travels; None where it is published by hand."""
        if self._fetched is None or command.profile != self._fetched[0]:
            return None
        return self._fetched[1]

    def _register(self, command: Command) -> Facts | Refusal:
        signed = self._manifest(command)
        if isinstance(signed, Refusal):
            return signed
        reference = signed.manifest.profile
        if command.model != signed.ref:
            return _refuse(
                f"the manifest is that of {signed.manifest.title}, digest {signed.digest[:16]}, not of the model named"
            )
        if reference is not None and reference.digest != command.profile:
            return _refuse(f"the package holds the profile {reference.digest}, the command names another")
        if reference is not None and self._store is not None:
            wrong = self._fetch(command, signed, self._store)
            if wrong is not None:
                return wrong
        return Facts(tier=signed.manifest.tier)

    def _manifest(self, command: Command) -> Signed | Refusal:
        """The manifest that a register carries, which a person signed."""
        keys = self.ring().persons if self.ring is not None else {}
        try:
            return opened_manifest(base64.b64decode(command.manifest or "", validate=True), keys)
        except (binascii.Error, ValueError):
            return Refusal("malformed", "the manifest of this command is no base64")
        except PackageError as error:
            return _refuse(str(error))

    def _fetch(self, command: Command, signed: Signed, store: Store) -> Refusal | None:
        """Fetch the profile out of the store; give why that is not possible."""
        reference = signed.manifest.profile
        file = next(one for one in signed.manifest.files if reference and one.path == reference.file)
        try:
            if file.size > MAX_PROFILE_BYTES:
                return _refuse(f"the profile has {file.size:,} bytes; {MAX_PROFILE_BYTES:,} are allowed")
            data = b"".join(store.chunks(file.sha256, file.size))
            profile = Profile.from_bytes(data)
        except (PackageError, Refused) as error:
            return _refuse(f"the profile of {signed.manifest.title} cannot be had: {error}")
        if profile.digest() != command.profile:
            return _refuse(f"the store holds another profile than the signed one for {signed.manifest.title}")
        if (profile.deployment, profile.model_version) != (command.deployment, signed.manifest.version):
            return _refuse(
                f"the profile is that of {profile.deployment} {profile.model_version}, "
                f"not of {command.deployment} {signed.manifest.version}"
            )
        self._fetched = (profile.digest(), data)
        return None


def _refuse(sentence: str) -> Refusal:
    return Refusal("precondition_failed", sentence)
