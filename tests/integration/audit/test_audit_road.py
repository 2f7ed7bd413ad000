"""The audit on a real Kafka: written in transactions, witnessed by a process, verified, exported and proved."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from signed import command, key

from driftline.agents.audit.believed import Believed
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.controller.metrics import ControllerMetrics
from driftline.agents.control.controller.witnessed import LOOK_S, WitnessWatch

Say = Callable[..., tuple[int, str, str]]
Start = Callable[[], subprocess.Popen[bytes]]


def told_of_witnesses(desk: Any) -> dict[str, float | None]:
    """How far each witness is, as the controller would tell Prometheus."""
    registry, watch = CollectorRegistry(), WitnessWatch(desk.settings.kafka)
    metrics, now_s = ControllerMetrics(registry), 0.0
    deadline_s = time.monotonic() + 30
    with closing(watch):
        while not any(size for size, _ in watch.found.signed.values()):
            now_s += LOOK_S
            assert time.monotonic() < deadline_s, "no checkpoint of a witness is read"
            time.sleep(0.05)
            assert watch.look(desk.book.state, now_s)
            assert not watch.look(desk.book.state, now_s + 1), "it looks before it is due"
    metrics.signed(watch.found.signed)
    (family,) = (one for one in registry.collect() if one.name == "driftline_controller_witnessed_records")
    return {one.labels["witness"]: one.value for one in family.samples}


def test_the_whole_road(desk: Any, say: Say, witness: Start, tmp_path: Path) -> None:
    """What was committed is witnessed, by one that is killed too, verified, tailed, exported and proved."""
    book = desk.book
    desk.flush()
    running = witness()
    for number in range(3):
        desk.abort(4)
        for _ in range(20):
            book.write("seen", deployment="churn", reasons=(f"round {number}",))
        book.decide(command("promote"), "ann", approvers=("bob",))
        book.notes.append(book.log.checkpoint(key("checkpoint")).to_bytes())
        desk.flush(notes=1)
        if number == 0:
            desk.await_witness(book.log.size, running)
            running.kill()
            running.wait(10)
            running = witness()
    desk.await_witness(64, running)
    book.write("seen", deployment="other")
    desk.flush()
    running.terminate()
    assert running.wait(20) == 0

    code, out, err = say("verify", "--signatures", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["records"], found["verified"], found["witnessed"], found["unwitnessed"]) == (65, 65, 64, 1)
    assert (found["signatures"], found["ok"], found["witnesses"]) == (6, True, ["witness.example/1"])
    assert json.loads(say("verify", "--json")[1])["remembered"] == 65

    lines = say("tail", "--last", "3", "--json")[1].splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [62, 63, 64]
    code, out, err = say("tail", "--deployment", "other")
    assert (code, out.count("\n"), err) == (0, 1, "")

    assert say("export", "log")[0] == 0
    assert say("verify", "--export", "log", "--signatures")[0] == 0
    assert say("prove", "7", "--output", "seven.tlog-proof")[0] == 0
    assert told_of_witnesses(desk) == {"witness.example/1": 64}
    believed = Believed.first(AuditRecord.from_bytes(book.records[0]))
    keys = [word for one in (*believed.logs, *believed.witnesses) for word in ("--key", one.text)]
    code, out, err = say("verify", "--proof", "seven.tlog-proof", *keys)
    assert code == 0, err
    assert "which witness.example/1 signed too" in out
    assert (tmp_path / "log" / "FORMAT.md").read_text(encoding="utf-8").startswith("# The format")


def test_what_an_administrator_rewrites_is_found(desk: Any, say: Say, witness: Start, tmp_path: Path) -> None:
    """Topics made anew with another history fail to verify, at its place, and a witness signs it not."""
    book = desk.book
    for _ in range(30):
        book.write("seen")
    book.notes.append(book.log.checkpoint(key("checkpoint")).to_bytes())
    desk.flush(notes=1)
    running = witness()
    desk.await_witness(31, running)
    running.terminate()
    assert running.wait(20) == 0
    assert say("verify")[0] == 0

    forged = list(book.records)
    forged[12] = msgspec.structs.replace(AuditRecord.from_bytes(forged[12]), event="other").to_bytes()
    desk.replace(forged, book.notes)
    code, out, err = say("verify", "--json")
    assert code == 1
    assert json.loads(out)["fault"]["seq"] == 12
    assert err.startswith("driftline: the audit fails: record 12: edited")

    for at in range(13, 31):
        changed = AuditRecord.from_bytes(forged[at])
        forged[at] = msgspec.structs.replace(changed, prev_hash=digest(forged[at - 1])).to_bytes()
    desk.replace(forged, [])
    code, _, err = say("verify")
    assert code == 1
    assert err.startswith(
        "driftline: the audit fails: records 0 to 30: re-chained: the checkpoint that was remembered"
    )
    refused = witness()
    assert refused.wait(60) == 1
    said = (tmp_path / "witness-1.log").read_text(encoding="utf-8")
    assert "the first 31 records are not those that this witness signed" in said

    desk.replace(book.records[:20], [])
    code, _, err = say("verify")
    assert code == 1
    assert err.startswith("driftline: the audit fails: records 20 to 30: rolled back")
    refused = witness()
    assert refused.wait(60) == 1
    assert "records are gone" in (tmp_path / "witness-2.log").read_text(encoding="utf-8")
    shutil.rmtree(tmp_path / "data")
    code, _, err = say("verify")
    assert code == 1
    assert "nothing outside of the log vouches for it" in err
