"""Bundles: records of one partition that Faust carries as one message.

Faust's way from the consumer to an agent (a callback, an event, a queue, turns of the loop, a processor) costs 35 µs a
message, as much as counting a message of 500 events. What the consumer has fetched of a partition is a list, and what
the worker takes is a list again, so the list travels: what Faust decides of a message, by generation, flow and offset,
it decides of a bundle. A bundle that comes again, whole or in part, is the worker's to find out, record by record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faust.types.tuples import ConsumerMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from faust.types import TP

# The mend reaches into what faust's own types do not show.
App = Any
Record = Any


class Bundle(ConsumerMessage):
    """Consecutive records of one partition, under the offset of the last one.

    Attributes:
        records: aiokafka's records: `offset`, `timestamp` (ms), `key`, `value`.
    """

    __slots__ = ("records",)

    records: Sequence[Record]


def carry_in_bundles(app: App, topic: str, most: int) -> None:
    """Have the records of a topic travel together; those of other topics (the changelog) go on alone.

    Args:
        app: the Faust app.
        topic: the topic's full name.
        most: records in a bundle; the app's buffers hold so many times as much as they count.
    """
    consumer = app.consumer
    scheduler, to_message = consumer.scheduler, consumer._to_message  # noqa: SLF001 - no public way

    class Scheduler:
        """Faust's turns, by bundles."""

        def iterate(self, fetched: Mapping[TP, Sequence[Record]]) -> Iterator[tuple[TP, Any]]:
            """Give what was fetched, partitions in turn."""
            turns: Iterator[tuple[TP, Any]] = scheduler.iterate(
                {tp: cut(records) if tp.topic == topic else records for tp, records in fetched.items()}
            )
            return turns

    def cut(records: Sequence[Record]) -> list[Sequence[Record]]:
        return [records[start : start + most] for start in range(0, len(records), most)]

    def bundled(tp: TP, found: Any) -> Any:  # noqa: ANN401 - a record, or what `cut` makes of them
        if tp.topic != topic:
            return to_message(tp, found)
        last = found[-1]
        bundle = Bundle(
            tp.topic,
            tp.partition,
            last.offset,
            timestamp=0.0,
            timestamp_type=0,
            headers=None,
            key=None,
            value=b"",
            checksum=None,
            tp=tp,
            generation_id=app.consumer_generation_id,
        )
        bundle.records = found
        return bundle

    consumer.scheduler = Scheduler()
    consumer._to_message = bundled  # noqa: SLF001 - as above
