"""Standby: a controller that waits is held against the audit once, so that a wrong key shows before it is needed.

As far as the audit can be read: where it cannot be, or is empty, its tenure finds out.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.topic import Reader
from driftline.agents.control.trust import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from driftline.agents.control.controller.keys import Keys
    from driftline.schemas.settings import Kafka

LOOK_RECORDS: Final = 1_000
"""After so many is asked whether the partition has come meanwhile."""


def check(kafka: Kafka, genesis: str, keys: Keys, is_needed: Callable[[], bool]) -> None:
    """Hold a controller that waits against the audit as it is now.

    Args:
        kafka: where the broker is.
        genesis: the pinned digest of record 0.
        keys: of this controller.
        is_needed: says that there is no time for this any more.

    Raises:
        AuditError: the audit is not the one that is pinned, or cannot be believed.
        ControllerError: trust does not name these keys.
    """
    with suppress(_UnreadError):
        require(_records(kafka, is_needed), genesis, keys)


def require(records: Iterable[bytes], genesis: str, keys: Keys) -> None:
    """Hold a genesis and keys against all records of an audit, from record 0 on; raises as `check`."""
    chain = Chain(genesis)
    for data in records:
        chain.take(data)
    if chain.has_begun:
        keys.require(Keyring(chain.believed.state))


class _UnreadError(Exception):
    """The audit was not read to its end."""


def _records(kafka: Kafka, is_needed: Callable[[], bool]) -> Iterator[bytes]:
    try:
        with closing(Reader(kafka)) as reader:
            for number, data in enumerate(reader.to_the_end(), 1):
                yield data
                if number % LOOK_RECORDS == 0 and is_needed():
                    raise _UnreadError
    except AuditError as error:
        raise _UnreadError from error
