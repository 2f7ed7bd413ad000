"""Duplicates: which sealed batches of a block were stored before, or stand in the block twice.

An emitter that sends its spool again sends the same bytes under the same seal. Which copy counts must not depend on
when a block is inserted, so the memory is asked only for offsets below the block: a block inserted again finds just
what it found the first time, though its own rows may be there by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from driftline.streams.archive.entry import Entry

Seal = tuple[str, str, int, int]


def seal_of(entry: Entry) -> Seal | None:
    """Give (deployment, instance, epoch, seq), which with the topic names a batch for ever; None for a plain record."""
    identity = entry.identity
    if identity is None:
        return None
    return entry.deployment, identity.instance, identity.epoch, identity.seq


def seals(entries: Iterable[Entry]) -> set[Seal]:
    """Give the seals of the records that may be stored."""
    return {seal for entry in entries if entry.letter is None and (seal := seal_of(entry)) is not None}


def split(entries: Iterable[Entry], known: Collection[Seal]) -> tuple[list[Entry], list[Entry]]:
    """Sort the records that were not refused into those to store and the copies.

    Args:
        entries: the block's records in the order of the log.
        known: seals stored at offsets below the block.

    Returns:
        The first record of each new seal, with every plain record; and the copies.
    """
    seen = set(known)
    fresh: list[Entry] = []
    copies: list[Entry] = []
    for entry in entries:
        if entry.letter is not None:
            continue
        seal = seal_of(entry)
        if seal is None:
            fresh.append(entry)
        elif seal in seen:
            copies.append(entry)
        else:
            seen.add(seal)
            fresh.append(entry)
    return fresh, copies
