"""P4 over the lives of processes: forks, ends without close, SIGKILL, and who takes the spool over."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from emit_rig import Script, Topics, spooled, values, wait_for

from driftline.agents.emit import Emitter
from driftline.deploy.local.kafka import KafkaBroker

FORK = """
import json, os, sys
from driftline.agents.emit import Emitter
emitter = Emitter("forked", "1", spool_dir=spool_dir)
for at in range(500):
    emitter.log({"a": float(at)})
children = []
for child in range(2):
    pid = os.fork()
    if pid == 0:
        for at in range(300):
            emitter.log({"a": float(1000 * (child + 1) + at)})
        done = emitter.flush(180)
        stats = emitter.stats()
        # One write a line: both children may end at once, and print() may write the end of a line by itself.
        os.write(1, json.dumps({"done": done, "epoch": stats.epoch, **stats.ledger()}).encode() + b"\\n")
        emitter.close()
        sys.exit(0)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
done = emitter.flush(180)
stats = emitter.stats()
print(json.dumps({"done": done, "epoch": stats.epoch, "codes": codes, **stats.ledger()}), flush=True)
emitter.close()
"""

UNCLOSED = """
import multiprocessing
from driftline.agents.emit import Emitter
emitter = Emitter("unclosed", "1")

def work(first):
    for at in range(first, first + 100):
        emitter.log({"a": float(at)})

if __name__ == "__main__":
    work(0)
    child = multiprocessing.get_context("fork").Process(target=work, args=(100,))
    child.start()
    child.join()
    print(child.exitcode, flush=True)
"""

KILLED = """
import os, signal, time
from driftline.agents.emit import Emitter
emitter = Emitter("killed", "1", spool_dir=spool_dir, stall_s=0.2, instance="app-1")
for at in range(2_000):
    emitter.log({"a": float(at)})
while emitter.stats().spooled < 2_000:
    time.sleep(0.01)
print(emitter.stats().epoch, flush=True)
if forks:
    begun, begins = os.pipe()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(begins, b"1")
        time.sleep(600)
    # A child that begins its life after its parent's end finds that spool, and takes it over itself.
    os.read(begun, 1)
while emitter.stats().delivered < wanted:
    time.sleep(0.001)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_fork_begins_anew(topics: Topics, script: Script, tmp_path: Path) -> None:
    """Children have their own epoch, books and producer, the parent goes on, and nobody sends another's events."""
    process = script(FORK, spool_dir=str(tmp_path / "spool"))
    output, _ = process.communicate(timeout=100)
    lives = [json.loads(line) for line in output.splitlines()]
    assert process.returncode == 0
    assert lives[-1]["codes"] == [0, 0]
    assert all(life["done"] for life in lives)
    assert sorted(life["enqueued"] for life in lives) == [300, 300, 500]
    assert len({life["epoch"] for life in lives}) == 3
    for life in lives:
        assert (life["delivered"], life["dropped"]) == (life["enqueued"], {})
        assert topics.rows(epoch=life["epoch"]) == life["enqueued"]
    assert sorted(values(topics.batches())) == [
        *range(500),
        *range(1_000, 1_300),
        *range(2_000, 2_300),
    ]


def test_ending_without_close_delivers(topics: Topics, script: Script) -> None:
    """A process, and a child of multiprocessing, that end without close() still deliver what they logged."""
    process = script(UNCLOSED)
    output, _ = process.communicate(timeout=100)
    assert (process.returncode, output.strip()) == (0, "0")
    assert sorted(values(topics.batches())) == list(range(200))


def test_a_killed_emitters_spool_is_adopted(
    broker: KafkaBroker, topics: Topics, script: Script, tmp_path: Path
) -> None:
    """The next emitter sends the spool of a killed one: the same bytes, the old identity, apart in the books."""
    broker.kill()
    spool = tmp_path / "spool"
    process = script(KILLED, spool_dir=str(spool), forks=False, wanted=0)
    epoch = int(process.stdout.readline())
    process.wait(60)
    assert process.returncode == -9
    kept = spooled(spool)
    broker.start()
    with Emitter("killed", "1", settings=topics.settings, spool_dir=spool, instance="app-2") as emitter:
        emitter.log({"a": -1.0})
        assert emitter.flush(180)
        wait_for(
            lambda: sum(one.book.delivered for one in emitter.stats().adopted) == 2_000,
            "the spool was not sent",
        )
        stats = emitter.stats()
    assert (stats.enqueued, stats.delivered) == (1, 1)
    (adopted,) = stats.adopted
    assert (adopted.instance, adopted.epoch, adopted.topic) == ("app-1", epoch, "predictions")
    assert (adopted.book.enqueued, adopted.book.spooled, adopted.book.balance) == (2_000, 0, 0)
    assert topics.rows(epoch=epoch) == 2_000
    sent = [message.value for message in topics.messages("predictions") if message.value in set(kept)]
    assert sent == kept
    assert list(spool.iterdir()) == []


def test_killed_while_sending_counts_once(
    broker: KafkaBroker, topics: Topics, script: Script, tmp_path: Path
) -> None:
    """Killed in the midst of sending its spool: the next emitter sends the rest, and what comes twice is byte-equal."""
    broker.kill()
    spool = tmp_path / "spool"
    process = script(KILLED, spool_dir=str(spool), forks=False, wanted=1)
    epoch = int(process.stdout.readline())
    broker.start()
    process.wait(90)
    assert process.returncode == -9
    with Emitter("killed", "1", settings=topics.settings, spool_dir=spool, instance="app-2") as emitter:
        emitter.log({"a": -1.0})
        assert emitter.flush(180)
        wait_for(lambda: emitter.stats().spool_bytes == 0, "the spool was not sent")
    assert topics.rows(epoch=epoch) == 2_000


def test_a_childs_life_holds_no_spool(
    broker: KafkaBroker, topics: Topics, script: Script, tmp_path: Path
) -> None:
    """A forked child that lives on does not keep its killed parent's spool from being adopted."""
    broker.kill()
    spool = tmp_path / "spool"
    process = script(KILLED, spool_dir=str(spool), forks=True, wanted=0)
    epoch = int(process.stdout.readline())
    child = int(process.stdout.readline())
    try:
        process.wait(60)
        broker.start()
        with Emitter("killed", "1", settings=topics.settings, spool_dir=spool) as emitter:
            emitter.log({"a": -1.0})
            wait_for(lambda: emitter.stats().adopted != (), "nobody adopted the spool")
            wait_for(lambda: emitter.stats().adopted[0].book.delivered == 2_000, "the spool was not sent")
    finally:
        os.kill(child, signal.SIGKILL)
    assert topics.rows(epoch=epoch) == 2_000
