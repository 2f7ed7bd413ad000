"""What `driftline doctor` looks at in the data directory: whose it is, what was left there, which ports it will use."""

from __future__ import annotations

import os

import psutil

from driftline.deploy.local.check import Check, fail, ok, split_sentence, warn
from driftline.deploy.local.datadir import DataDirectory, nearest
from driftline.deploy.local.discover import running_state
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.owner import owner_of_port
from driftline.deploy.local.ports import is_free
from driftline.deploy.local.state import StackState, read_state
from driftline.schemas.settings import Settings
from driftline.schemas.sources import variable


def directory_checks(settings: Settings, directory: DataDirectory) -> list[Check]:
    """Look at the data directory and the ports."""
    state = running_state(directory)
    return [_directory(settings, directory), _leftovers(directory, state), *_ports(settings, state)]


def _directory(settings: Settings, directory: DataDirectory) -> Check:
    root = directory.root
    parent = nearest(root)
    if parent != root:
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return ok("data directory", f"{root} will be made")
        return fail("data directory", f"{parent} may not be written", "choose another place with --data-dir")
    if not root.is_dir() or not os.access(root, os.W_OK):
        return fail(
            "data directory", f"{root} is no directory that may be written", "choose another with --data-dir"
        )
    try:
        identity = directory.identity()
        if (settings.local.kafka, settings.local.clickhouse) == ("local", "local"):
            directory.check_whole(identity)
    except StackError as error:
        return split_sentence("data directory", str(error))
    return ok("data directory", f"{root}, cluster {identity.cluster_id}")


def _leftovers(directory: DataDirectory, state: StackState | None) -> Check:
    """Look for processes and locks of a stack that was killed."""
    name = "leftovers"
    if state is not None:
        return ok(name, f"none: the stack runs (pid {state.pid})")
    if directory.is_held():
        return warn(name, f"{directory.lock_file} is held by a stack that starts or stops", "wait a little")
    orphans = _processes_of(directory)
    if orphans:
        pids = " ".join(map(str, orphans))
        return fail(name, f"processes without a supervisor use {directory.root}", f"kill {pids}")
    last = read_state(directory.state_file)
    if last is not None and last.phase != "stopped":
        return ok(name, "the last stack was killed; the next 'driftline up' recovers its data")
    return ok(name, "none")


def _processes_of(directory: DataDirectory) -> list[int]:
    """Return processes whose command line names the broker's or the server's files of this directory."""
    marks = (str(directory.kafka / "server.properties"), str(directory.clickhouse / "config.xml"))
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(mark in (process.info["cmdline"] or ()) for mark in marks)
    ]


def _ports(settings: Settings, state: StackState | None) -> list[Check]:
    found = []
    for part, port in (("kafka", settings.local.kafka_port), ("clickhouse", settings.local.clickhouse_port)):
        if getattr(settings.local, part) != "local":
            continue
        name = f"{part} port"
        if (
            port
            and port == settings.local.kafka_port
            and part == "clickhouse"
            and settings.local.kafka == "local"
        ):
            mend = f"choose another with {variable('local', part + '_port')}"
            found.append(fail(name, f"{port} is Kafka's too", mend))
        elif port == 0:
            found.append(ok(name, "a free one"))
        elif state is not None or is_free(port):
            found.append(ok(name, str(port)))
        else:
            mend = f"stop it, or choose another with {variable('local', part + '_port')}"
            found.append(fail(name, f"{port} is in use by {owner_of_port(port) or 'another program'}", mend))
    return found
