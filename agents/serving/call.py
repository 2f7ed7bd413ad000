"""Call: a request, and one version that is asked it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.slots import CANARY, CHAMPION
from driftline.agents.serving.worth import OK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.agents.serving.lease import Deployment, Lease
    from driftline.agents.serving.slots import Loaded, Slot
    from driftline.agents.serving.v2 import Ask
    from driftline.agents.serving.worth import Status

Outputs = dict[str, "NDArray[Any]"]


@dataclass(slots=True)
class Request:
    """A request as it is answered.

    Attributes:
        ask: its tensors.
        identity: its id, as the caller knows it; `own` are the 16 bytes of it where the agent made it.
        key: of the caller.
        version: the one that must answer; None takes what the slots say.
        size_bytes: of it, for what waits for shadows.
    """

    ask: Ask
    identity: str
    own: bytes | None
    key: str
    version: str | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class Call:
    """A request as one version is asked it.

    Attributes:
        deployment, loaded, slot: who is asked, and as what.
        request: what.
        rows: how many.
        at_ms: when, ms since 1970.
        status: what the answer is worth, once there is one.
        first: the number of its first row among those of the request.
        is_part: whether the request has other rows beside these.
    """

    deployment: Deployment
    loaded: Loaded
    slot: Slot
    request: Request
    rows: int
    at_ms: int
    status: Status = OK
    first: int = 0
    is_part: bool = False

    def __call__(self) -> Outputs:
        """Ask the model; its answer is what its manifest says, or an error."""
        loaded = self.loaded
        wrong = loaded.worth.unaskable(self.request.ask) if self.slot != CHAMPION else None
        if wrong is not None:  # it has outputs of its own, which the champion has not
            raise InputError(wrong)
        outputs = loaded.model.predict(self.request.ask.inputs)
        found = loaded.gives.rows(outputs)
        if found != self.rows:
            raise InputError(f"it answers {found} rows where {self.rows} were asked")
        self.status = loaded.worth.of(self.request.ask, outputs, found)
        if self.slot == CANARY and self.status != OK:
            # Its caller would get an error, or less than the champion's.
            raise InputError("its answer holds NaN or infinity")
        return outputs

    def in_thread(self) -> Outputs:
        """Ask from a thread, which may wait for its turn: what counts for the pace is its own processor time."""
        began_s = time.thread_time()
        has_failed = True
        try:
            outputs = self()
            has_failed = False
        finally:
            self.loaded.pace.took(time.thread_time() - began_s, self.rows, has_failed=has_failed)
        return outputs

    def lease(self) -> Lease:
        """Hold the version until the call has ended."""
        return self.deployment.lease(self.loaded)

    def row_ids(self) -> list[bytes | str]:
        """Ids of its rows: that of the request for its only row, else `ID/0`, `ID/1` and so on."""
        request = self.request
        if self.rows == 1 and not self.is_part:
            return [request.own or request.identity]
        return [f"{request.identity}/{row}" for row in range(self.first, self.first + self.rows)]
