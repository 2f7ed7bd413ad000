"""Controlled: an agent that serves what signed states say: belief, memory, directors and the follower together.

What is believed is looked at by the follower's thread and by whoever gives a local command, one at a time; what is
carried out belongs to the event loop. A state is kept on disk before it is carried out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.control.signing import sign
from driftline.agents.control.verify_state import StateError
from driftline.agents.serving.acks import Acks
from driftline.agents.serving.agent import free_bytes
from driftline.agents.serving.belief import Belief
from driftline.agents.serving.director import Director
from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.memory import keep, keep_news, silent_s, taken_in
from driftline.agents.serving.readiness import Readiness
from driftline.agents.serving.silence import Silence
from driftline.agents.serving.work import forever
from driftline.schemas.control.ack import Heartbeat
from driftline.schemas.control.envelope import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from driftline.agents.control.signing import Signer
    from driftline.agents.control.verify_state import Believed
    from driftline.agents.serving.agent import Agent
    from driftline.schemas.control.ack import Outcome
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import Tier

logger = logging.getLogger(__name__)

STALE_EVERY_S: Final = 1.0
NOT_FOR_IT: Final = "this agent is not for it any more, as its trust or its settings say"


class Controlled:
    """What an agent believes and does.

    Args:
        agent: serves.
        key: signs acks and heartbeats.
        folder: where what is believed is kept.
        say: puts a record on a topic: topic, key, value.
        now_ms: the clock, ms since 1970.

    Raises:
        ServingError: what was kept cannot be read, or is of another installation.
    """

    def __init__(
        self,
        agent: Agent,
        key: Signer,
        folder: Path,
        say: Callable[[str, str, bytes], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._agent, self._key, self._folder, self._now_ms = agent, key, folder, now_ms
        self._only = frozenset(agent.settings.serve.only)
        with taken_in(folder) as kept:
            self.belief = Belief(agent.settings.control.genesis, key.keyid, kept)
        self.boot_id: Final = str(uuid.uuid4())
        self._acks = Acks(key, agent.instance, self.boot_id, agent.metrics, say, now_ms)
        self._lock: Final = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._directors: dict[str, Director] = {}
        self._is_closed = False
        self._readiness = Readiness(self.belief, self._directors)
        # A restart is no news: an agent that is started again and again may serve on no longer than one that is not.
        self._silence = Silence(0.0 if self._readiness.is_first_life else silent_s(folder, now_ms()))
        agent.lacking, agent.app.unheard = self._readiness.lacking, self._readiness.unheard
        agent.metrics.stale_seconds.set_function(self._silence.whole_s)

    def resume(self) -> None:
        """Serve what was believed last; it is ready once it has caught up, or Kafka is away."""
        for deployment in self.belief.believed:
            if not self._only or deployment in self._only:
                self._direct(deployment)

    def package_keys(self, ref: ModelRef) -> Mapping[str, bytes]:
        """Who may have signed a package."""
        return self.belief.package_keys(ref)

    # What the follower's thread calls.

    def anew(self) -> None:
        """The audit is read from its first record again."""
        with self._lock:
            self.belief.restart()

    def audit(self, data: bytes) -> bool:
        """Take a record of the audit; say whether trust changed. Raises AuditError."""
        with self._lock:
            if is_changed := self.belief.hear(data):
                self._keep()
        return is_changed

    def wants(self, deployment: str) -> bool:
        """Whether a deployment is served here: by the trust to the agent's key, and by the settings."""
        with self._lock:
            return (not self._only or deployment in self._only) and self.belief.serves(deployment)

    def unsigned(self, deployment: str, data: bytes) -> str | None:
        """Why no controller whose key counts now signed a state; None when one did."""
        with self._lock:
            return self.belief.unsigned(deployment, data)

    def state(self, deployment: str, data: bytes) -> None:
        """Take a state; raises StateError."""
        with self._lock:
            found = self.belief.believe(deployment, data, self._now_ms(), self._tiers(deployment))
            if found is None:
                return
            self._keep()
        self._loop.call_soon_threadsafe(self._direct, deployment)

    def keep(self, deployment: str, data: bytes) -> None:
        """Keep a state that a controller signed, for the record of the audit that tells of it."""
        with self._lock:
            self.belief.newest.keep(deployment, data)

    def settle(self) -> None:
        """Take the states that the audit names as the newest by now."""
        with self._lock:
            due = self.belief.newest.due()
        for deployment, data in due:
            with suppress(StateError):
                if self.wants(deployment):
                    self.state(deployment, data)

    def is_ahead(self, data: bytes) -> bool:
        """Whether a state may have a record of the audit that was not heard yet."""
        with self._lock:
            return self.belief.newest.is_ahead(data)

    def standing(self, deployment: str) -> Believed | None:
        """What is believed of a deployment now."""
        with self._lock:
            return self.belief.believed.get(deployment)

    def fault(self, deployment: str, data: bytes, before: Believed | None) -> str | None:
        """Why a state would not be believed after another one; None when it would."""
        with self._lock:
            return self.belief.fault(deployment, data, before, self._now_ms(), self._tiers(deployment))

    def refused(self, deployment: str, revision: int, why: str, digest: str) -> None:
        """Say that a state is not believed."""
        logger.warning("a state of %s is not believed: %s", deployment, why)
        is_served, installation = deployment in self._directors, self.belief.installation
        self._acks.tell(
            installation, deployment, revision, "refused", why, 0.0, state=digest, is_served=is_served
        )

    def news(self) -> None:
        """All that is committed was read a moment ago."""
        self._silence.end()
        keep_news(self._folder, self._now_ms())
        # Behind the states that came before it: they are carried out by the loop, and not yet when this is called.
        self._loop.call_soon_threadsafe(self._readiness.note_heard)

    def heartbeat(self) -> tuple[str, bytes] | None:
        """Give the key and the value of a heartbeat."""
        agent = self._agent
        if not self.belief.installation:
            return None
        beat = Heartbeat(
            installation=self.belief.installation,
            instance=agent.instance,
            boot_id=self.boot_id,
            at_ms=self._now_ms(),
            revisions={name: one.active for name, one in list(self._directors.items())},
            free_bytes=max(0, free_bytes(agent.settings.serve.memory_bytes)),
            is_draining=agent.server.is_draining,
        )
        return agent.instance, sign(HEARTBEAT, beat.to_bytes(), self._key).to_bytes()

    def untold(self) -> list[bytes]:
        """Give local commands that the controller was not told of, the oldest first."""
        with self._lock:
            return [one.encode() for one in self.belief.untold]

    def told(self, command: bytes) -> None:
        """A local command is on `deployment-control`."""
        with self._lock:
            self.belief.told(command.decode())
            self._keep()

    # What the socket calls.

    def command(self, data: bytes) -> tuple[str, str | None]:
        """Obey a command that was given here; gives the deployment, and why a restart would forget it, if it would.

        Raises ServingError when it is not obeyed.
        """
        with self._lock:
            deployment, local = self.belief.command(data, self._now_ms())
            unkept = self._keep()
        self._loop.call_soon_threadsafe(self._direct, deployment)
        logger.warning("%s obeys a local command of %s", deployment, local.by)
        return deployment, unkept

    def about(self) -> dict[str, object]:
        """What is so, for whoever builds a local command."""
        with self._lock:
            believed = {name: one.state for name, one in self.belief.believed.items()}
            local = {name: held[-1].by for name, held in self.belief.local.items()}
        return {
            "installation": self.belief.installation,
            "instance": self._agent.instance,
            "deployments": {
                name: {
                    "revision": state.revision,
                    "versions": [msgspec.to_builtins(one.model) for one in state.versions],
                    "local": local.get(name),
                }
                for name, state in believed.items()
            },
        }

    # What belongs to the loop.

    async def watch(self) -> None:
        """Stop serving what is too stale, halted, or not this agent's, as long as it is; whatever fails meanwhile."""
        await forever(self._look, STALE_EVERY_S)

    async def settled(self) -> None:
        """Wait until every state is carried out."""
        await asyncio.gather(*(one.settled() for one in self._directors.values()))

    async def close(self) -> None:
        """Give up what is under way, and carry out nothing any more."""
        self._is_closed = True
        await asyncio.gather(*(one.close() for one in self._directors.values()))

    def _look(self) -> None:
        # Of what is not believed callers hear that, and not that there is none.
        for name in {*self._agent.swappers, *self.belief.halts.doubted}:
            deployment = self._agent.swapper(name).deployment
            with self._lock:
                is_behind = self.belief.is_behind(name)
            silenced = self.belief.silenced(name, self._silence.of_s(name, is_behind=is_behind))
            deployment.suspended = silenced if self.wants(name) else NOT_FOR_IT
        self._agent.retire_sinks()
        self._readiness.tell()

    def _tiers(self, deployment: str) -> dict[str, Tier]:
        swapper = self._agent.swappers.get(deployment)
        return {digest: one.tier for digest, one in swapper.manifests.items()} if swapper else {}

    def _direct(self, deployment: str) -> None:
        with self._lock:
            state = self.belief.effective(deployment)
        if state is None or self._is_closed:
            return
        if deployment not in self._directors:
            self._directors[deployment] = Director(self._agent.swapper(deployment), self._ack)
        self._directors[deployment].take(state)

    def _ack(self, deployment: str, revision: int, outcome: Outcome, reason: str, seconds: float) -> None:
        self._acks.tell(self.belief.installation, deployment, revision, outcome, reason, seconds)

    def _keep(self) -> str | None:
        """Keep what is believed; why it cannot be, if not."""
        try:
            keep(self._folder, self.belief.kept)
        except ServingError as error:
            logger.exception("what is believed cannot be kept; a restart begins with what was kept before")
            return str(error)
        return None
