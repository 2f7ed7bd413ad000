"""Outside: what commands bring and name beyond the desk: manifests with their profiles, settings, topics."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from driftline.agents.control.controller.configured import is_time
from driftline.agents.control.judge import Facts
from driftline.agents.control.looking import look
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
        if command.op == "log-reset" and command.target != self._topic_id():
            return _refuse(f"the topic of commands has the id {self._topic_id()}, not {command.target[:80]}")
        if command.op == "configure" and command.target and not is_time(command.target):
            return Refusal(
                "malformed", f"configure names {command.target[:80]!r}, which is no time in ms since 1970"
            )
        found = look(command, self.ring().persons if self.ring is not None else {})
        if command.op != "register" or isinstance(found, Refusal) or self._store is None:
            return found
        signed = opened_manifest(base64.b64decode(command.manifest or ""), None)
        return self._fetch(command, signed, self._store) or found

    def profile(self, command: Command) -> bytes | None:
        """The profile of a register that was looked at, as it travels; None where it is published by hand."""
        if self._fetched is None or command.profile != self._fetched[0]:
            return None
        return self._fetched[1]

    def _fetch(self, command: Command, signed: Signed, store: Store) -> Refusal | None:
        """Fetch the profile out of the store, if the package holds one; give why that is not possible."""
        reference = signed.manifest.profile
        if reference is None:
            return None
        file = next(one for one in signed.manifest.files if one.path == reference.file)
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
