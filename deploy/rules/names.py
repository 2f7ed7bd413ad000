"""Names: metrics as Prometheus stores them, taken from the classes that make them, so that a renamed one is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from driftline.agents.control.controller.metrics import ControllerMetrics
from driftline.agents.serving.metrics import ServingMetrics
from driftline.agents.serving.tally import Spread, Tally
from driftline.streams.metrics import AccuracyMetrics, AlertMetrics, ArchiveMetrics, DriftMetrics
from driftline.streams.worker_metrics import HousekeepingMetrics, WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Metric


def names(holder: type[Any]) -> dict[str, str]:
    """Give the stored name of each metric of a class, by its attribute; a histogram's without `_bucket`."""
    made = vars(holder(CollectorRegistry())).items()
    return {key: _stored(next(iter(one.describe()))) for key, one in made if _is_metric(one)}


def known() -> dict[str, frozenset[str]]:
    """Give every series that driftline serves: stored name -> names of its labels."""
    found: dict[str, frozenset[str]] = {}
    for holder in HOLDERS:
        for one in vars(holder(CollectorRegistry())).values():
            if not _is_metric(one):
                continue
            family = next(iter(one.describe()))
            # Names of labels have no public face in prometheus_client.
            labels = frozenset(one.labels if isinstance(one, Tally | Spread) else one._labelnames)  # noqa: SLF001
            if family.type == "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
                found[f"{family.name}_count"] = found[f"{family.name}_sum"] = labels
            else:
                found[_stored(family)] = labels
    return found


def _is_metric(one: object) -> bool:
    return isinstance(one, MetricWrapperBase | Tally | Spread)


def _stored(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


HOLDERS: Final[tuple[type[Any], ...]] = (
    WorkerMetrics,
    HousekeepingMetrics,
    DriftMetrics,
    AccuracyMetrics,
    AlertMetrics,
    ArchiveMetrics,
    ControllerMetrics,
    ServingMetrics,
)
WORKER: Final[Mapping[str, str]] = names(WorkerMetrics)
DISK: Final[Mapping[str, str]] = names(HousekeepingMetrics)
DRIFT: Final[Mapping[str, str]] = names(DriftMetrics)
ACCURACY: Final[Mapping[str, str]] = names(AccuracyMetrics)
ALERTS: Final[Mapping[str, str]] = names(AlertMetrics)
ARCHIVE: Final[Mapping[str, str]] = names(ArchiveMetrics)
CONTROL: Final[Mapping[str, str]] = names(ControllerMetrics)
SERVING: Final[Mapping[str, str]] = names(ServingMetrics)
