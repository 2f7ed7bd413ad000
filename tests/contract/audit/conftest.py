"""The second verifier as it is built, and a log for both."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from audit_logs import NOON_MS, WITNESS, Book, filled
from signed import command, key, text, trust
from two_verifiers import SOURCE

from driftline.agents.audit.checkpoint import cosigned


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the second verifier."""
    built = tmp_path_factory.mktemp("verifier") / "verifier"
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", "build", "-o", str(built), "."],
        cwd=SOURCE,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="module")
def book() -> Book:
    """A log with a promotion, a key that was revoked, a new key of the log, and a tail that no witness has signed."""
    made = filled(23, every=7)
    made.decide(command("promote"), "ann", approvers=("bob",))
    asked = command("key-revoke", "", key=key("far").keyid, compromised_since_ms=NOON_MS, expected_revision=1)
    made.change_trust(asked, "root-1", "root-2")
    after = trust(persons=trust().persons[:-1], checkpoints=(text("checkpoint-2"),))
    asked = command("trust-set", "", trust=msgspec.to_builtins(after), expected_revision=2)
    made.change_trust(asked, "root-1", "root-3")
    asked = command("policy-set", "", policy="permit(principal, action, resource);", expected_revision=3)
    made.change_trust(asked, "root-2", "root-3")
    note = made.log.checkpoint(key("checkpoint-2"))
    made.notes.append(cosigned(note, WITNESS, key("witness"), NOON_MS // 1_000).to_bytes())
    made.write("seen")
    made.write("seen")
    return made
