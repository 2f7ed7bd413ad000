"""A port of metrics that is taken ends a process with one sentence, whichever process it is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from served import agent

from driftline.agents.serving.server import listening
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import Settings
from driftline.streams.processors.service import served_metrics

SENTENCE = r"metrics cannot be served on 127.0.0.1:{} \(Address already in use\): name another port with {}"


@pytest.fixture
def taken() -> Iterator[tuple[int, socket.socket]]:
    """Give a port that somebody listens on, and who does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1], listener


def test_a_worker_names_the_setting_of_its_port(taken: tuple[int, socket.socket]) -> None:
    """So does the controller, which serves them by the same settings; one beyond all ports is a sentence too."""
    settings = Settings().worker
    for port, why in ((taken[0], SENTENCE.format(taken[0], "worker.metrics_port")), (65_536, "0-65535")):
        with (
            pytest.raises(DriftlineError, match=why),
            served_metrics(msgspec.structs.replace(settings, metrics_port=port)),
        ):
            pass


def test_an_agent_names_the_setting_of_its_port(taken: tuple[int, socket.socket], tmp_path: Path) -> None:
    """The second of its processes looks at the port after that one."""
    made = agent(tmp_path, metrics_port=taken[0] - 1, host="127.0.0.1")
    with pytest.raises(DriftlineError, match=SENTENCE.format(taken[0], "serve.metrics_port")):
        asyncio.run(made.run(taken[1], number=1))


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_metrics_are_not_served_on_the_port_of_requests(tmp_path: Path, *, shared: bool) -> None:
    """An agent whose two ports are one says so and ends: it would say that it serves, and answer no model."""
    with closing(listening("127.0.0.1", 0, shared=shared)) as listener:
        port = listener.getsockname()[1]
        made = agent(tmp_path, metrics_port=port - 1, host="127.0.0.1")
        with pytest.raises(DriftlineError, match=SENTENCE.format(port, "serve.metrics_port")):
            asyncio.run(made.run(listener, number=1))


@pytest.mark.parametrize("host", ["a..b", "a" * 80])
def test_a_name_that_no_host_can_have_serves_no_metrics(host: str) -> None:
    """It ends a process as a port that is taken does, with one sentence."""
    settings = msgspec.structs.replace(Settings().worker, metrics_host=host)
    with (
        pytest.raises(DriftlineError, match=r"no host can have such a name\): name another"),
        served_metrics(settings),
    ):
        pass
