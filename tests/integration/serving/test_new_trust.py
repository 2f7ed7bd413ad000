"""Trust that changes while agents live: what they kept nothing of is read again from Kafka."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from controlled import INSTANCES, serving_trust
from memory_wire import key_file
from signed import key, text
from town import Town

from driftline.agents.control.signing import sign
from driftline.schemas.control.envelope import STATE
from driftline.schemas.control.trust import Agent
from driftline.schemas.deployment_state import defaults


def test_an_agent_that_trust_gets_to_know_serves_what_lay_there_before(town: Town) -> None:
    """Among states of deployments that somebody invented; when it is told to stop, it leaves no socket behind."""
    shutil.rmtree(town.folder / f"state-{INSTANCES[len(town.agents)]}", ignore_errors=True)
    late = town.agent(DRIFTLINE_SERVE_KEY=key_file(town.folder, "late"))
    late.until(lambda: "the trust names its key for no agent" in str(late.ask("/v2/health/ready")))
    forged = sign(STATE, b"{}" + b" " * 50_000, key("mallory")).to_bytes()
    for number in range(100):
        name = f"invented-{number}"
        town.hall.publish("deployment-state", defaults(name).to_bytes(serving=forged), name)
    town.hall.flush()
    assert late.ask("/v2/models/churn/ready")[0] == 503
    agents = (*serving_trust().agents, Agent(id="late", keys=(text("late"),)))
    trust = msgspec.to_builtins(serving_trust(agents=agents))
    town.hall.does("trust-set", "root-1", "root-2", deployment="", trust=trust, expected_revision=1)
    late.until(lambda: late.ask("/v2/models/churn/ready")[0] == 200)
    late.until(lambda: late.ask("/v2/health/ready")[0] == 200)
    assert "Traceback" not in late.log.read_text()
    folder = Path(late.env["DRIFTLINE_SERVE_STATE_DIR"]) / late.instance
    assert (folder / "halt.sock").is_socket()
    town.agents.remove(late)
    assert late.stop() == 0
    assert not (folder / "halt.sock").exists()
    town.wait(lambda one: (one.event, one.agent) == ("left", late.instance))
