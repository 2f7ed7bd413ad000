"""What workers tell Prometheus of partitions, of losses, and of whose a deployment is."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaException, TopicPartition
from prometheus_client import CollectorRegistry

from driftline.schemas.deployment_state import DeploymentState, defaults
from driftline.streams.alerts.losses import LossBook
from driftline.streams.metrics import AlertMetrics
from driftline.streams.processors.alert_tally import Tally
from driftline.streams.worker_metrics import WorkerMetrics

STORED = "driftline_worker_stored_timestamp_seconds"
LAG = "driftline_worker_lag_messages"
PLACE = {"topic": "windows", "partition": "1"}


class Client:
    """A consumer that knows where a log ends, or does not."""

    def __init__(self, high: int | None) -> None:
        self._high = high

    def get_watermark_offsets(self, _place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        """The ends as the client knows them."""
        assert cached
        if self._high is None:
            raise KafkaException("no such partition")
        return 0, self._high


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


@pytest.mark.parametrize(("high", "lag"), [(10, 3), (7, 0), (5, 0), (-1001, None), (None, None)])
def test_a_lag_is_told_as_far_as_the_end_is_known(
    registry: CollectorRegistry, high: int | None, lag: int | None
) -> None:
    """Messages from the next offset wanted to the log's end; no figure where the client knows no end."""
    metrics, client = WorkerMetrics(registry), Client(high)
    metrics.is_behind(client, TopicPartition("prefix.windows", 1, 7), "windows")  # type: ignore[arg-type]
    assert registry.get_sample_value(LAG, PLACE) == lag


def test_a_partition_that_went_to_another_worker_is_told_of_no_more(registry: CollectorRegistry) -> None:
    """One at a time, or all: its age would grow for ever, and somebody would be woken."""
    metrics, began_s = WorkerMetrics(registry), time.time()
    for partition in (0, 1, 2):
        metrics.is_stored("windows", partition)
    assert began_s <= (registry.get_sample_value(STORED, PLACE) or 0) <= time.time()
    metrics.forget("windows", 1)
    metrics.forget("windows", 9)
    assert registry.get_sample_value(STORED, PLACE) is None
    assert registry.get_sample_value(STORED, PLACE | {"partition": "2"}) is not None
    metrics.forget_all()
    assert registry.get_sample_value(STORED, PLACE | {"partition": "2"}) is None


def owned(deployment: str, team: str) -> DeploymentState:
    """Settings of a deployment that a team has."""
    state = defaults(deployment)
    return msgspec.structs.replace(
        state, settings=msgspec.structs.replace(state.settings, team=team, owner="Ana")
    )


def test_a_deployment_has_one_line_that_says_whose_it_is(registry: CollectorRegistry) -> None:
    """When the team changes the old line goes, and so does that of a deployment whose settings were removed."""
    tally = Tally(AlertMetrics(registry), ())

    def lines() -> set[tuple[str, str, str]]:
        (family,) = (one for one in registry.collect() if one.name == "driftline_alerts_deployment_info")
        return {
            (one.labels["deployment"], one.labels["team"], one.labels["importance"]) for one in family.samples
        }

    tally.deployments([owned("a", "blue"), owned("b", "blue")])
    assert lines() == {("a", "blue", "normal"), ("b", "blue", "normal")}
    tally.deployments([owned("a", "red")])
    assert lines() == {("a", "red", "normal")}


def test_a_loss_is_counted_once_and_by_who_saw_it(registry: CollectorRegistry) -> None:
    """What emitters lost before the worker began was counted by the one before; a later loss counts at once."""
    tally = Tally(AlertMetrics(registry), ())
    book = LossBook(tally.lost_rows)
    now_ms = time.time_ns() // 1_000_000
    lost: Any = book._lose
    lost("shop", (now_ms - 3_600_000, "buffer_full", 40))
    lost("shop", (now_ms + 1_000, "buffer_full", 7))
    lost("shop", (now_ms + 1_000, "crash", 2))
    value = registry.get_sample_value
    assert value("driftline_alerts_emitter_lost_rows_total", {"reason": "buffer_full"}) == 7
    assert value("driftline_alerts_emitter_lost_rows_total", {"reason": "crash"}) == 2
