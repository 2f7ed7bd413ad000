"""`driftline plan`: its costs are the measured ones, its reckoning is what a person reckons by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from driftline.deploy.cli import main
from driftline.deploy.plan import costs
from driftline.deploy.plan import reckon as reckoning
from driftline.deploy.plan.reckon import HEADROOM, READERS, UTILISATION, Load, reckon
from driftline.schemas.settings import Settings, load
from driftline.streams.windows import merges

PLAIN = Load(
    events=1_000, features=25, deployments=10, labels=1.0, days=90, lineage_days=2_557, peak=2.0, replicas=3,
    publish_s=10.0, label_hours=0.0,
)  # fmt: skip


@pytest.fixture
def settings() -> Settings:
    """The settings as they are shipped."""
    return load({})


@pytest.fixture(scope="module")
def measured(checkout: Path) -> dict[str, float]:
    """Return name and value of each row of docs/benchmarks.md."""
    text = (checkout / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z]+: [^|]+?) \| ([\d.,]+) \|", text, re.MULTILINE)
    return {name: float(value.replace(",", "")) for name, value in rows}


def test_every_cost_is_a_measured_one(measured: dict[str, float]) -> None:
    """The costs are those of docs/benchmarks.md, each of its rows and no other."""
    own = {
        f"cost: {features} features, {name}": value
        for name, points in costs.COSTS.items()
        for features, value in points.items()
    }
    assert own == {name: value for name, value in measured.items() if name.startswith("cost: ")}
    assert measured["memory: drift worker, 200 deployments x 25 features, live"] == costs.DRIFT_MB
    assert measured["join: a prediction held"] == costs.HELD_BYTES
    assert measured["restate: a million late labels over 30 days"] == costs.LATE_LABEL_S
    assert reckoning.OPEN_EVERY == merges.OPEN_EVERY
    assert f"fleet: {costs.FLEET} deployments, median lag, last 20 s against first" in measured


def test_the_plan_is_what_a_person_reckons(settings: Settings) -> None:
    """A day has 86.4 million events here: 7 days of them in three copies, 90 days in ClickHouse, at measured bytes."""
    plan = reckon(PLAIN, settings)
    assert plan.disks["Kafka: predictions"] == pytest.approx(86.4e6 * 113 * 7 * 3 / 1e9, abs=0.01)
    assert plan.disks["ClickHouse: predictions"] == pytest.approx(86.4e6 * 112 * 90 / 1e9, abs=0.01)
    assert plan.disks["ClickHouse: prediction_lookup"] == pytest.approx(86.4e6 * 27.3 * 2557 / 1e9, abs=0.01)
    assert plan.clickhouse_disk_gb == pytest.approx(
        HEADROOM * sum(size for name, size in plan.disks.items() if name.startswith("ClickHouse")), abs=0.1
    )
    assert plan.roles["drift"].cores == pytest.approx(2_000 * 3.21e-6 / UTILISATION, abs=0.01)


@pytest.mark.parametrize("field", ["events", "features", "deployments", "days", "peak", "replicas"])
def test_more_never_needs_less(field: str, settings: Settings) -> None:
    """Whatever there is more of, no disk, core, worker or partition becomes fewer."""
    one = reckon(PLAIN, settings)
    more = reckon(msgspec.structs.replace(PLAIN, **{field: getattr(PLAIN, field) * 40}), settings)
    for name in (
        "partitions",
        "kafka_cores",
        "kafka_disk_gb",
        "clickhouse_cores",
        "clickhouse_disk_gb",
        "kafka_in_mb_s",
    ):
        assert getattr(more, name) >= getattr(one, name), name
    for role in READERS:
        assert more.roles[role].workers >= one.roles[role].workers
        assert more.roles[role].cores >= one.roles[role].cores


def test_partitions_leave_room_for_workers(settings: Settings) -> None:
    """There are at least two partitions a worker, and a power of two of them."""
    for events in (1, 1e4, 1e6, 1e7):
        plan = reckon(msgspec.structs.replace(PLAIN, events=events, deployments=1_000), settings)
        most = max(role.workers for role in plan.roles.values())
        assert plan.partitions >= 2 * most
        assert plan.partitions & (plan.partitions - 1) == 0


def test_one_deployment_past_a_worker_is_told(settings: Settings) -> None:
    """Where one deployment needs several workers, the plan says that it has to be split."""
    huge = msgspec.structs.replace(PLAIN, events=1e6, deployments=1)
    assert any("split a deployment" in warning for warning in reckon(huge, settings).warnings)
    assert not any("split a deployment" in warning for warning in reckon(PLAIN, settings).warnings)


def test_late_labels_cost_a_count_from_clickhouse(settings: Settings) -> None:
    """Labels that come when their predictions have left memory cost the accuracy workers what restating costs."""
    late = reckon(msgspec.structs.replace(PLAIN, label_hours=1_000.0), settings)
    soon = reckon(PLAIN, settings)
    more = 1_000 * costs.LATE_LABEL_S / 1e6 / UTILISATION
    assert late.roles["accuracy"].cores - soon.roles["accuracy"].cores == pytest.approx(more, abs=0.02)


def test_costs_between_measured_ones_lie_on_the_line() -> None:
    """Between two numbers of features, and past the last, a cost is on the line through the two beside it."""
    points = costs.COSTS["a prediction in Kafka"]
    assert costs.at("a prediction in Kafka", 15) == pytest.approx((points[5] + points[25]) / 2)
    assert costs.at("a prediction in Kafka", 175) == pytest.approx(2 * points[100] - points[25])


def test_the_command_needs_no_stack_and_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a stack the plan is told in 80 columns with its assumptions, and the same as JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["plan", "--events", "123456.5", "--deployments", "5000"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "It assumes:" in shown
    assert main(["plan", "--events", "123456.5", "--deployments", "5000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["plan"]["roles"]["drift"]["workers"] >= 5_000 / costs.FLEET
    assert len(told["assumptions"]) == shown.split("It assumes:")[1].count("\n  - ")


def test_the_page_shows_what_the_command_prints(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example of docs/capacity.md prints what stands below it."""
    page = (checkout / "docs" / "capacity.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^```sh\ndriftline (.*)\n```$", page, re.MULTILINE)
    (printed,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(line.split()) == 0
    assert capsys.readouterr().out == printed
