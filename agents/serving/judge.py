"""Judge: who believes states, as whoever reads them asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from driftline.agents.control.verify_state import Believed


class Judge(Protocol):
    """Who believes."""

    def wants(self, deployment: str) -> bool:
        """Whether a deployment is served here."""
        ...

    def unsigned(self, deployment: str, data: bytes) -> str | None:
        """Why no controller whose key counts now signed a state; None when one did."""
        ...

    def keep(self, deployment: str, data: bytes) -> None:
        """Keep a state that a controller signed, as long as the audit may yet name it as the newest."""
        ...

    def settle(self) -> None:
        """Take the states that are kept, and that the audit names as the newest by now."""
        ...

    def is_ahead(self, data: bytes) -> bool:
        """Whether a state may have a record of the audit that was not heard yet."""
        ...

    def state(self, deployment: str, data: bytes) -> None:
        """Take a state; raises StateError."""
        ...

    def standing(self, deployment: str) -> Believed | None:
        """What is believed of a deployment now."""
        ...

    def fault(self, deployment: str, data: bytes, before: Believed | None) -> str | None:
        """Why a state would not be believed after another one; None when it would."""
        ...

    def refused(self, deployment: str, revision: int, why: str, digest: str) -> None:
        """A state is not believed; its digest, empty when no controller signed it."""
        ...
