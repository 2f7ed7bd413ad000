"""Verification: records in, a report out. Nothing is trusted but the pinned genesis and what was kept elsewhere."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING

from driftline.agents.audit.chain import BrokenError, Chain
from driftline.agents.audit.checkpoint import Checkpoint, Seen, seen
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.faults import Fault, Kind, examine
from driftline.agents.audit.notes import Note
from driftline.agents.audit.record import AuditRecord
from driftline.agents.audit.report import Pins, Report
from driftline.agents.audit.signatures import Signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Verifier:
    """Verifies a log once, record by record.

    Args:
        pins: what does not come from the log.
        notes: checkpoints as they were found, unbelieved.
        signatures: whether every signature in the records is checked.
    """

    def __init__(self, pins: Pins, notes: Iterable[bytes] = (), *, signatures: bool = False) -> None:
        self.chain = Chain(pins.genesis)
        self.report = Report()
        self.record: AuditRecord | None = None
        """The last one that passed, where signatures are checked and it was read whole for that."""
        self._signatures = Signatures() if signatures else None
        self._heads: dict[int, list[Note | Checkpoint]] = {}
        self._sizes: list[int] = []
        self._proven = 0
        for data in notes:
            self._add(data)
        if pins.remembered is not None:
            self._put(pins.remembered.size, pins.remembered)

    def run(self, records: Iterable[bytes]) -> Report:
        """Verify records in their order; call once, this or `passing`."""
        for _ in self.passing(records):
            pass
        return self.report

    def passing(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Verify records in order, and give each that passed; believe none before `report` is whole, at the end."""
        rest = iter(records)
        fault = None
        for data in rest:
            fault = self._take(data, rest)
            if fault is not None:
                break
            yield data
        else:
            fault = self._missing()
            self.report.records = self.chain.size
        self._close(fault)

    def _take(self, data: bytes, rest: Iterator[bytes]) -> Fault | None:
        """Take one record; with a fault, the rest is read to its end."""
        chain, at = self.chain, self.chain.size
        wrong: Fault | None = None
        before = chain.believed if at and self._signatures else None
        try:
            link = chain.take(data)
            if before is not None and self._signatures is not None:
                self.record = AuditRecord.from_bytes(data)
                self._signatures.check(self.record, before)
        except BrokenError:
            fault, self.report.records = examine(chain, data, rest, self._proven)
            return fault
        except AuditError as error:
            wrong = Fault("forged", at, at, str(error))
        else:
            if self.report.tail_since_ms is None:
                self.report.tail_since_ms = link.decided_at_ms
            if self._sizes and self._sizes[0] == chain.size:
                wrong = self._compared(self._heads.pop(self._sizes.pop(0)))
        return None if wrong is None else self._settled(wrong, rest)

    def _settled(self, wrong: Fault, rest: Iterator[bytes]) -> Fault:
        """Hold a fault in what was taken against the record behind it, which may know better what was done."""
        after = next(rest, None)
        if after is not None and not self.chain.fits(after):
            found, self.report.records = examine(self.chain, after, rest, self._proven)
            return found if found.seq <= wrong.until else wrong
        self.report.records = self.chain.size + (after is not None) + sum(1 for _ in rest)
        return wrong

    def _compared(self, heads: list[Note | Checkpoint]) -> Fault | None:
        """Hold the tree against checkpoints of its size."""
        root, size = self.chain.tree.root(), self.chain.size
        agreed = signed = False
        for one in heads:
            found = one if isinstance(one, Checkpoint) else self._believed(one)
            if found is None:
                continue
            checkpoint = found.checkpoint if isinstance(found, Seen) else found
            if checkpoint.root != root or checkpoint.origin != self.chain.believed.state.trust.origin:
                return self._other(found)
            agreed, signed = True, signed or isinstance(found, Seen)
            self._count(found)
        self._proven = size if agreed else self._proven
        self.report.checkpoints += signed
        return None

    def _other(self, found: Seen | Checkpoint) -> Fault:
        last, first = self.chain.size - 1, self._proven
        checkpoint = found.checkpoint if isinstance(found, Seen) else found
        kind: Kind = "edited" if first == last else "re-chained"
        why = "has another root"
        if checkpoint.root == self.chain.tree.root():
            kind, why = "forged", f"calls the log {checkpoint.origin!r}"
        elif kind == "re-chained":
            why = f"{why}: one of these was edited, and what follows it linked anew"
        return Fault(kind, first, last, f"{_whose(found)} at {self.chain.size} records {why}")

    def _missing(self) -> Fault | None:
        """Find records that a checkpoint knows and the log lacks."""
        size = self.chain.size
        if size == 0:
            return Fault("truncated", 0, 0, "there is no record at all")
        beyond = [(at, one) for at in self._sizes for one in self._heads[at]]
        log = own = 0
        whose = ""
        for at, one in beyond:
            found = one if isinstance(one, Checkpoint) else self._believed(one)
            if isinstance(found, Seen) and not found.witnesses:
                own = max(own, at)
            elif found is not None:
                log, whose = max(log, at), _whose(found)
        if own >= log > 0 or (own and not log):
            return Fault(
                "truncated", size, own - 1, f"the log's own checkpoint says that there were {own} records"
            )
        if log:
            return Fault("rolled-back", size, log - 1, f"{whose} says that there were {log} records")
        return None

    def _count(self, found: Seen | Checkpoint) -> None:
        report = self.report
        if isinstance(found, Checkpoint):
            report.remembered = found.size
            return
        if found.witnesses or not report.witnessed:
            report.note = found.note
        if found.witnesses:
            names = {name for name, _ in found.witnesses}
            if report.witnessed == found.checkpoint.size:
                names |= set(report.witnesses)
            report.witnessed, report.witnesses = found.checkpoint.size, tuple(sorted(names))
            report.witnessed_at_s = max(at_s for _, at_s in found.witnesses)
            report.tail_since_ms = None

    def _believed(self, note: Note) -> Seen | None:
        """Believe a note as the keys in force say; count those that the log did not sign."""
        believed = self.chain.believed
        found = seen(note, believed.logs, believed.witnesses)
        if found is None:
            self.report.unsigned += 1
        return found

    def _add(self, data: bytes) -> None:
        try:
            note = Note.parse(data)
            self._put(Checkpoint.of(note).size, note)
        except AuditError:
            self.report.unsigned += 1

    def _put(self, size: int, head: Note | Checkpoint) -> None:
        if size > 0:
            if size not in self._heads:
                insort(self._sizes, size)
            self._heads.setdefault(size, []).append(head)

    def _close(self, fault: Fault | None) -> None:
        report, chain = self.report, self.chain
        report.fault = fault
        report.verified = chain.size if fault is None else min(fault.seq, chain.size)
        if fault is None:
            report.root = chain.tree.root()
        if chain.has_begun:
            state = chain.believed.state
            report.origin = state.trust.origin
            report.compromised = {
                one.key: one.compromised_since_ms
                for one in state.revocations
                if one.compromised_since_ms is not None
            }
        report.signatures = self._signatures.checked if self._signatures else 0


def _whose(found: Seen | Checkpoint) -> str:
    if isinstance(found, Checkpoint):
        return "the checkpoint that was remembered"
    if found.witnesses:
        return f"the checkpoint that {found.witnesses[0][0]} signed"
    return "the log's own checkpoint"
