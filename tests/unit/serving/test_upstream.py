"""A v2 server in the place of a package: the agent asks it, and its faults are those of the model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from served import P, X, agent, constant, in_background, loaded, manifest, ref

from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.slots import Slots
from driftline.agents.serving.upstream import Behind, Upstream


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
