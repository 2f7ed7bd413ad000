"""Beside openai-agents, the name `agents` stays its own and both import."""

import importlib.metadata
from pathlib import Path

import agents
import driftline.agents.emit

owner = Path(str(importlib.metadata.distribution("openai-agents").locate_file("agents/__init__.py")))
if Path(agents.__file__) != owner or not hasattr(agents, "Agent"):
    raise SystemExit(f"import agents gives {agents.__file__}, not openai-agents' own {owner}")
if Path(driftline.agents.emit.__file__).parts[-4:-2] != ("driftline", "agents"):
    raise SystemExit(f"driftline.agents.emit comes from {driftline.agents.emit.__file__}")
