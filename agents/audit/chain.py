"""Chain: each record names the one before, and all of them grow the tree; what was believed changes on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import EFFECTIVE, NO_HASH, AuditRecord, Link, digest
from driftline.agents.audit.tree import Frontier, leaf_hash
from driftline.agents.control.trust import ROOT_OPS

if TYPE_CHECKING:
    from driftline.schemas.control.envelope import Digest


class BrokenError(AuditError):
    """A record that does not follow the one before it."""


class Chain:
    """The records that followed one another so far, in the memory of a few hundred hashes.

    Args:
        genesis: the pinned digest of record 0.

    Attributes:
        genesis: as given.
        head: digest of the last record.
        before: digest of the one before it.
        tree: over all of them.
    """

    __slots__ = ("_believed", "before", "genesis", "head", "tree")

    def __init__(self, genesis: Digest) -> None:
        self.genesis = genesis
        self.head = self.before = NO_HASH
        self.tree = Frontier()
        self._believed: Believed | None = None

    @property
    def size(self) -> int:
        """How many there are."""
        return self.tree.size

    @property
    def has_begun(self) -> bool:
        """Whether record 0 was taken and laid down which keys are believed."""
        return self._believed is not None

    @property
    def believed(self) -> Believed:
        """The keys in force after the last record; raises AuditError while there is none."""
        if self._believed is None:
            raise AuditError("the audit has no record yet")
        return self._believed

    def fits(self, data: bytes) -> bool:
        """Whether a record would follow."""
        try:
            self._follows(data, Link.from_bytes(data))
        except AuditError:
            return False
        return True

    def take(self, data: bytes) -> Link:
        """Take the next record.

        Raises:
            BrokenError: it is none, or does not follow; nothing has changed.
            AuditError: it follows, and claims a change of trust that the roots did not sign; it has been taken.
        """
        try:
            link = Link.from_bytes(data)
        except AuditError as error:
            raise BrokenError(str(error)) from error
        head = self._follows(data, link)
        self.before, self.head = self.head, head
        self.tree.push(leaf_hash(data))
        if self._believed is None:
            self._believed = Believed.first(AuditRecord.from_bytes(data))
        elif link.event == EFFECTIVE and link.op in ROOT_OPS:
            self._believed = self._believed.after(AuditRecord.from_bytes(data))
        return link

    def _follows(self, data: bytes, link: Link) -> str:
        """Give the digest of a record that follows."""
        if link.seq != self.tree.size or link.prev_hash != self.head:
            raise BrokenError(f"record {link.seq} does not follow record {self.tree.size - 1}")
        head = digest(data)
        if self.tree.size == 0 and head != self.genesis:
            raise BrokenError(f"record 0 has the digest {head}, and {self.genesis} is pinned")
        return head
