"""The data directory of the local stack: where things lie, what it is made of, and who holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.deploy.local.cluster_id import LENGTH, new_cluster_id
from driftline.deploy.local.errors import StackError

FORMAT = 1


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a data directory was made by; kept in `data.json`.

    Attributes:
        format: layout of the directory, FORMAT.
        cluster_id: id of the Kafka cluster whose segments lie here.
        kafka: greatest version of Kafka that wrote here.
        clickhouse: greatest version of ClickHouse that wrote here.
        kafka_port: port of the last start, so that addresses stay; 0 before the first.
        clickhouse_port: the same for ClickHouse.
        secure: whether users, ACLs and TLS guard them: such data is never served without.
        board_port: the same for the board.
        whole: whether Kafka and ClickHouse have both been ready here: from then on neither is used without the other.

    """

    format: int = FORMAT
    cluster_id: str = ""
    kafka: str = ""
    clickhouse: str = ""
    kafka_port: int = 0
    clickhouse_port: int = 0
    secure: bool = False
    board_port: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """Paths below one data directory."""

    root: Path

    @property
    def kafka(self) -> Path:
        """Directory of the broker."""
        return self.root / "kafka"

    @property
    def clickhouse(self) -> Path:
        """Directory of the server."""
        return self.root / "clickhouse"

    @property
    def access(self) -> Path:
        """Directory of passwords and certificates of a secured stack."""
        return self.root / "access"

    @property
    def logs(self) -> Path:
        """Directory of the log files."""
        return self.root / "logs"

    @property
    def identity_file(self) -> Path:
        """What made this directory."""
        return self.root / "data.json"

    @property
    def state_file(self) -> Path:
        """What runs here now."""
        return self.root / "stack.json"

    @property
    def targets_file(self) -> Path:
        """Where Prometheus finds the workers, as its `file_sd_configs` read it."""
        return self.root / "targets.json"

    @property
    def lock_file(self) -> Path:
        """Locked by the one process that runs a stack here; the kernel frees it when that process ends."""
        return self.root / "stack.lock"

    def log(self, name: str) -> Path:
        """Log file of a component."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Create the directories.

        Raises:
            StackError: the path is a file, or may not be written.

        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"the data directory {str(self.root)!r} cannot be made ({error.strerror}): "
                "choose another with --data-dir"
            ) from error

    def hold(self) -> TextIO:
        """Lock the directory for this process and return the open lock; closing it frees the directory.

        Raises:
            StackError: another process runs a stack here.

        """
        try:
            lock = self.lock_file.open("a+")
        except OSError as error:
            raise StackError(
                f"the data directory {str(self.root)!r} may not be written ({error.strerror}): "
                "choose another with --data-dir"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise self._held_by_another() from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        return lock

    def is_held(self) -> bool:
        """Say whether a process runs a stack here."""
        try:
            lock = self.lock_file.open("r")
        except OSError:
            return False
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def check_readable(self) -> None:
        """Look whether it can be seen from here what runs.

        Raises:
            StackError: this user may not read what the stack's process wrote.

        """
        try:
            self.state_file.open("rb").close()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise StackError(
                f"the data directory {str(self.root)!r} cannot be read ({error.strerror}), nor what runs there: "
                "look as the user who started it"
            ) from error

    def check_free(self) -> None:
        """Look whether a stack could be started here, before anything is spent on it.

        Raises:
            StackError: another process runs a stack here.

        """
        if self.is_held():
            raise self._held_by_another()

    def identity(self) -> Identity:
        """Return what made this directory, a new identity for an empty one.

        Raises:
            StackError: the file is damaged, or the segments belong to another cluster.

        """
        try:
            identity = msgspec.json.decode(self.identity_file.read_bytes(), type=Identity)
        except FileNotFoundError:
            identity = Identity(cluster_id=self._cluster_of_segments() or new_cluster_id())
        except (msgspec.DecodeError, OSError) as error:
            raise StackError(f"{self.identity_file} is damaged ({error}): {self._mend()}") from error
        self._check(identity)
        return identity

    def check_whole(self, identity: Identity) -> Identity:
        """Look whether Kafka's and ClickHouse's data, which belong together, are both here or both not.

        With one of them new, windows would be counted from the start of an empty log and lose against the older rows of
        the tables, or rows that the log's readers have left behind would never come into new tables.

        Returns:
            The identity; of a directory with neither, one that has never been whole.

        Raises:
            StackError: one was removed or lost.

        """
        has_kafka, has_clickhouse = (self._holds_data(one / "data") for one in (self.kafka, self.clickhouse))
        if has_clickhouse and not has_kafka:
            raise self._half("Kafka", self.kafka, "ClickHouse", self.clickhouse)
        # A first start that was cut short has formatted the one and not begun the other.
        if has_kafka and not has_clickhouse and identity.whole:
            raise self._half("ClickHouse", self.clickhouse, "Kafka", self.kafka)
        return identity if has_kafka else msgspec.structs.replace(identity, whole=False)

    def is_new(self) -> bool:
        """Say whether neither Kafka nor ClickHouse has data here."""
        return not any(self._holds_data(one / "data") for one in (self.kafka, self.clickhouse))

    def write_identity(self, identity: Identity) -> None:
        """Keep what made this directory."""
        write_atomically(self.identity_file, msgspec.json.encode(identity))

    def _half(self, lost: str, where: Path, kept: str, beside: Path) -> StackError:
        return StackError(
            f"the data of {lost} is missing in {str(where)!r} while {kept} still has its own, "
            f"and both belong together: put it back, or remove {str(beside)!r} as well to begin anew"
        )

    def _held_by_another(self) -> StackError:
        holder = self.lock_file.read_text().strip() or "unknown"
        return StackError(
            f"a stack runs in {str(self.root)!r} already (pid {holder}): "
            "look at it with 'driftline status' or stop it with 'driftline down'"
        )

    def _check(self, identity: Identity) -> None:
        if identity.format != FORMAT:
            raise StackError(
                f"the data directory {str(self.root)!r} has format {identity.format}, "
                f"this driftline reads format {FORMAT}: {self._mend()}"
            )
        on_disk = self._cluster_of_segments()
        if len(identity.cluster_id) != LENGTH or on_disk not in ("", identity.cluster_id):
            raise StackError(
                f"the data directory {str(self.root)!r} belongs to the cluster {identity.cluster_id!r} "
                f"but holds segments of {on_disk!r}: {self._mend()}"
            )

    def _cluster_of_segments(self) -> str:
        """Return the cluster id that Kafka wrote beside its segments, "" when it was not formatted."""
        file = self.kafka / "data" / "meta.properties"
        try:
            text = file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise StackError(f"{str(file)!r} cannot be read ({error}): {self._mend()}") from error
        pairs = (line.partition("=") for line in text.splitlines())
        return next((value.strip() for key, _, value in pairs if key.strip() == "cluster.id"), "")

    def _holds_data(self, folder: Path) -> bool:
        try:
            return any(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StackError(f"{str(folder)!r} cannot be read ({error.strerror}): {self._mend()}") from error

    def _mend(self) -> str:
        return "move it away, or choose another with --data-dir"


def nearest(path: Path) -> Path:
    """Return the path itself, or the nearest folder above it that this user can see."""
    for one in (path, *path.parents):
        with contextlib.suppress(OSError):  # it lies in a folder that may not be entered
            if one.exists():
                return one
    return Path(path.anchor or ".")


def newest(directory: Path, program: str, held: str, ours: str) -> str:
    """Return the version to remember.

    Raises:
        StackError: a newer version wrote the directory, whose files ours may not understand.

    """
    if _numbers(held) > _numbers(ours):
        raise StackError(
            f"the data directory {str(directory)!r} was written by {program} {held}, "
            f"newer than this driftline's {ours}: upgrade driftline, or choose another with --data-dir"
        )
    return ours


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 26.7.3-stable.1 is (26, 7, 3)."""
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())
