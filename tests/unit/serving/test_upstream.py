"""A v2 server in the place of a package: the agent asks it, and its faults are those of the model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from served import P, X, agent, constant, in_background, loaded, manifest, ref

from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.upstream import Behind, Upstream, UpstreamModel
from driftline.agents.serving.v2_client import asking


def test_a_server_answers_in_the_place_of_a_package(tmp_path: Path) -> None:
    """Its version is told as unverified; one that it lacks does not load; its errors are errors of the model."""

    def make() -> object:
        made = agent(tmp_path)
        made.swapper("churn").deployment.switch(Slots(champion=loaded("7", constant(3.0))))
        return made

    async def whole(port: int) -> None:
        upstream = Upstream(f"http://127.0.0.1:{port}/", 5.0, 1 << 20)
        found = await asyncio.to_thread(Behind(ref("7"), manifest("7"), upstream).load)
        assert not found.is_verified
        assert (found.model.inputs, found.model.outputs) == ((X,), (P,))
        answer = await asyncio.to_thread(found.model.predict, {"X": np.zeros((2, 3), np.float32)})
        assert answer["p"].tolist() == [[3.0], [3.0]]
        with pytest.raises(SwapError, match="has no version 8 of churn"):
            await asyncio.to_thread(Behind(ref("8"), manifest("8"), upstream).load)
        with pytest.raises(InputError, match="answers 400: the input 'X' has shape"):
            await asyncio.to_thread(found.model.predict, {"X": np.zeros((2, 4), np.float32)})
        await upstream.close()
        away = Upstream("http://127.0.0.1:1", 1.0, 1 << 20)
        with pytest.raises(SwapError, match="does not answer"):
            await asyncio.to_thread(Behind(ref("7"), manifest("7"), away).load)
        await away.close()

    with in_background(make) as (_, port):  # type: ignore[arg-type]
        asyncio.run(whole(port))


@pytest.mark.parametrize("host", ["a..b", "a" * 80])
def test_a_name_that_no_host_can_have_is_a_sentence(host: str) -> None:
    """A label that is empty or too long is found only when its address is looked up; it names the setting then."""

    async def whole() -> None:
        upstream = Upstream(f"http://{host}:80", 5.0, 1 << 20)
        sentence = rf"http://{host}:80 does not answer: no host can have such a name; .* serve\.upstream"
        with pytest.raises(SwapError, match=sentence):
            await asyncio.to_thread(Behind(ref("7"), manifest("7"), upstream).load)
        await upstream.close()

    asyncio.run(whole())


JSON_BYTES, BYTES = b"\r\ninference-header-content-length", b"\r\ncontent-length"


def test_a_kept_connection_that_ended_fails_no_request() -> None:
    """A server ends kept connections when it likes: what finds one ended, and no answer, is asked over a new one."""
    asked = ended = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked, ended
        for is_first in (True, False):
            heading = (await reader.readuntil(b"\r\n\r\n")).lower()
            lengths = {
                one: int(heading.split(one + b": ")[1].split(b"\r\n")[0]) for one in (JSON_BYTES, BYTES)
            }
            given = json.loads((await reader.readexactly(lengths[BYTES]))[: lengths[JSON_BYTES]])
            if is_first:
                asked += 1
                head, size = asking({"p": np.ones((1, 1), np.float32)}, {"id": given["id"]})
                body = head.replace(b'"inputs"', b'"outputs"')
                writer.write(
                    b"HTTP/1.1 200 OK\r\ninference-header-content-length: %d\r\ncontent-length: %d\r\n\r\n%b"
                    % (size + 1, len(body), body)
                )
        ended += 1
        writer.close()

    async def whole() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        upstream = Upstream(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 5.0, 1 << 20)
        model = UpstreamModel(upstream, manifest("7"))
        for _ in range(6):
            answer = await asyncio.to_thread(model.predict, {"X": np.zeros((1, 3), np.float32)})
            assert answer["p"].tolist() == [[1.0]]
        assert (asked, ended > 1) == (6, True)
        await upstream.close()
        server.close()

    asyncio.run(whole())
