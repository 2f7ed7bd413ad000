"""Keys: prediction ids as pairs of 64-bit numbers, sorted and searched as arrays.

An id is 16 bytes, (rest, low half). Its key is the low half mixed with the rest, so that ids which count upwards, as
plain producers make them, spread like random ones. Key and rest give the id back: nothing is lost, and a match is
verified on the whole id.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


def keys_of(ids: NDArray[np.uint8]) -> tuple[Keys, Keys]:
    """Give (key, rest) of ids uint8 (n, 16), each uint64 (n,)."""
    halves = np.ascontiguousarray(ids).view(">u8").astype(np.uint64)
    rest = np.ascontiguousarray(halves[:, 0])
    return halves[:, 1] ^ (rest * _MIX), rest


def ids_of(key: Keys, rest: Keys) -> NDArray[np.uint8]:
    """The reverse of `keys_of`; uint8 (n, 16)."""
    halves = np.stack([rest, key ^ (rest * _MIX)], axis=1)
    return halves.astype(">u8").view(np.uint8).reshape(len(key), 16)


def sorted_order(key: Keys, rest: Keys) -> NDArray[np.intp]:
    """Give the order by (key, rest), equal ids in the order they lie; quick where sorted runs lie end to end."""
    order = np.argsort(key, kind="stable")
    ranked, others = key[order], rest[order]
    # Different ids of one key are rare, unless somebody makes them.
    if len(order) > 1 and ((ranked[1:] == ranked[:-1]) & (others[1:] != others[:-1])).any():
        return np.lexsort((rest, key))
    return order


def is_repeat(key: Keys, rest: Keys) -> NDArray[np.bool_]:
    """Tell of sorted ids which are equal to the one before; bool (n,)."""
    repeat = np.zeros(len(key), np.bool_)
    repeat[1:] = (key[1:] == key[:-1]) & (rest[1:] == rest[:-1])
    return repeat


def places(key: Keys, rest: Keys, wanted_key: Keys, wanted_rest: Keys) -> NDArray[np.intp]:
    """Give where each wanted id stands, or would stand, among sorted ids; fastest when the wanted are sorted too."""
    at = np.searchsorted(key, wanted_key)
    if not len(key):
        return at
    held = np.minimum(at, len(key) - 1)
    # Only ids that share a key with others are not there yet; somebody may have made many of them.
    open_ = np.flatnonzero((at < len(key)) & (key[held] == wanted_key) & (rest[held] < wanted_rest))
    if len(open_):
        at[open_] = _bisected(
            rest, at[open_], np.searchsorted(key, wanted_key[open_], "right"), wanted_rest[open_]
        )
    return at


def find(key: Keys, rest: Keys, wanted_key: Keys, wanted_rest: Keys) -> NDArray[np.intp]:
    """Give the place of each wanted id among sorted ids, -1 where it is not; fastest when the wanted are sorted too."""
    if not len(key):
        return np.full(len(wanted_key), -1, np.intp)
    at = places(key, rest, wanted_key, wanted_rest)
    held = np.minimum(at, len(key) - 1)
    return np.where((key[held] == wanted_key) & (rest[held] == wanted_rest), held, -1)


def _bisected(rest: Keys, low: NDArray[np.intp], high: NDArray[np.intp], wanted: Keys) -> NDArray[np.intp]:
    """Search each wanted half between two places, low inclusive, high exclusive; the first that is not less."""
    while (low < high).any():
        middle = (low + high) // 2
        less = (low < high) & (rest[np.minimum(middle, len(rest) - 1)] < wanted)
        low, high = np.where(less, middle + 1, low), np.where(less, high, middle)
    return low


def pairs(
    key: Keys, rest: Keys, other_key: Keys, other_rest: Keys
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match two sets of sorted, distinct ids; gives the places of each pair in the first and in the second."""
    if len(key) <= len(other_key):
        found = find(other_key, other_rest, key, rest)
        mine = np.flatnonzero(found >= 0)
        return mine, found[mine]
    found = find(key, rest, other_key, other_rest)
    theirs = np.flatnonzero(found >= 0)
    return found[theirs], theirs
