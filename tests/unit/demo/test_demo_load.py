"""The demo's load: flights as requests in event time, and what it counts of answers that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from driftline.agents.serving import v2
from driftline.deploy.demo.asks import asks
from driftline.deploy.demo.flights import LEVELS, NUMBERS
from driftline.deploy.demo.load import Load

JULY = datetime(2013, 7, 1, 5, 0, tzinfo=UTC)
MINUTES = (0, 3, 16, 40)
QUARTER_MS = 900_000


def flights() -> pa.Table:
    """Four flights: two in one quarter of an hour, one whose end nobody knows, one without weather."""
    times = [JULY.replace(minute=minute) for minute in MINUTES]
    columns: dict[str, pa.Array] = {"event_time": pa.array(times, pa.timestamp("ms", tz="UTC"))}
    columns |= {name: pa.array([1.0, 2.0, 3.0, None], pa.float64()) for name in NUMBERS}
    columns |= {name: pa.array(["A", "B", "A", "C"]) for name in LEVELS}
    landed = [JULY.replace(hour=7), JULY.replace(hour=6), None, JULY.replace(hour=8)]
    columns["target"] = pa.array([True, False, None, False])
    columns["landed"] = pa.array(landed, pa.timestamp("ms", tz="UTC"))
    return pa.table(columns)


def test_a_quarter_of_an_hour_is_a_request_in_its_event_time() -> None:
    """The agent reads each row's columns, with NaN where the weather is not known, and the time of the first row."""
    found = list(asks(flights(), QUARTER_MS))
    assert [len(one.late) for one in found] == [2, 1, 1]
    read = [v2.read(one.body, one.json_bytes) for one in found]
    assert [one.at_ms for one in read] == [round(JULY.timestamp() * 1000) + m * 60_000 for m in (0, 16, 40)]
    assert set(read[0].inputs) == {*NUMBERS, *LEVELS}
    assert read[0].inputs["temp"].tolist() == [[1.0], [2.0]]
    assert read[0].inputs["carrier"].tolist() == [["A"], ["B"]]
    assert np.isnan(read[2].inputs["temp"]).all()
    assert found[0].row_ids() == [f"{found[0].id}/0", f"{found[0].id}/1"]
    assert found[1].row_ids() == [found[1].id]
    assert (found[0].late, found[1].late) == ((True, False), (None,))


class Agent:
    """What answers like an agent, and fails the requests that it is told to."""

    def __init__(self, *, fails: int) -> None:
        self.labels: list[dict[str, object]] = []
        told, seen = self, [0]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/labels":
                    lines = [msgspec.json.decode(line) for line in body.splitlines()]
                    told.labels += lines
                    self._answer(200, msgspec.json.encode({"taken": len(lines), "refused": 0, "errors": []}))
                    return
                seen[0] += 1
                status = 503 if seen[0] == fails else 200
                self._answer(status, b'{"model_name":"m","model_version":"7"}')

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        """End."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture(params=[0, 2])
def agent(request: pytest.FixtureRequest) -> Iterator[tuple[Agent, int]]:
    """One that fails no request, or the second one."""
    made = Agent(fails=request.param)
    yield made, 1 if request.param else 0
    made.close()


def test_every_request_is_counted_and_a_failed_one_as_such(agent: tuple[Agent, int]) -> None:
    """Answers by version and failures add up to all that was asked; a refusal names the request and the status."""
    made, failed = agent
    load = Load(made.server.server_port, "flights-live", "token", asks(flights(), QUARTER_MS))
    first = round(JULY.timestamp() * 1000)
    load.start(first, first)
    load.reach(first + 40 * 60_000, first + 40 * 60_000, 20)
    load.stop()
    assert load.requests == 3
    assert load.answered == {"7": 3 - failed}
    assert [": 503: " in one for one in load.failures] == [True] * failed


def test_labels_are_told_once_the_load_has_come_past_the_landing() -> None:
    """Of flights that landed before the newest request's time, by the ids of their rows; not of the others."""
    made = Agent(fails=0)
    several = pa.concat_tables([flights(), later()])
    load = Load(made.server.server_port, "flights-live", "token", asks(several, QUARTER_MS))
    load.start(round(JULY.timestamp() * 1000), round(JULY.timestamp() * 1000))
    last = round(JULY.replace(hour=7, minute=30).timestamp() * 1000)
    load.reach(last, last, 20)
    while load.labels < 2:
        threading.Event().wait(0.02)
    load.stop()
    made.close()
    first = round(JULY.timestamp() * 1000)
    assert {(one["id"], one["value"]) for one in made.labels} == {
        (f"board-{first}/1", False),
        (f"board-{first}/0", True),
    }


def later() -> pa.Table:
    """A flight two and a half hours later, whose end nobody knows."""
    one = flights().slice(2, 1)
    time = pa.array([JULY.replace(hour=7, minute=30)], pa.timestamp("ms", tz="UTC"))
    return one.set_column(one.column_names.index("event_time"), "event_time", time)


def test_a_bar_is_not_passed_however_long_people_take() -> None:
    """Flights before it are asked about one after the other, and none of the others until the next aim."""
    made = Agent(fails=0)
    load = Load(made.server.server_port, "flights-live", "token", asks(flights(), QUARTER_MS))
    first = round(JULY.timestamp() * 1000)
    load.start(first, first + 20 * 60_000)
    while load.requests < 1:
        threading.Event().wait(0.02)
    began = load._due_ms()
    while load._due_ms() < began + 60_000:
        threading.Event().wait(0.02)
    assert load.now_ms < first + 20 * 60_000
    assert load._due_ms() < first + 20 * 60_000
    load.reach(first + 40 * 60_000, first + 40 * 60_000, 20)
    load.stop()
    made.close()
    assert load.requests == 3
