"""The local ClickHouse: the real engine out of its library, as a child process with the HTTP interface."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import ssl
import sys
import tty
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from driftline.agents.atomic import write_atomically
from driftline.deploy.local import clickhouse_child
from driftline.deploy.local.clickhouse_config import READY_USER, ClickHouseOptions, config_xml, users_xml
from driftline.deploy.local.clickhouse_library import ClickHouseLibrary
from driftline.deploy.local.component import Component
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.ports import LOOPBACK
from driftline.deploy.local.spawn import Process, spawn

_ANSWER_SECONDS = 5.0
_NONCE_BYTES = 12
# What the C library, Python and the engine look at; where they are not there, nothing is missing.
_READABLE = (
    "/lib",
    "/lib64",
    "/usr",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys",
    "/proc/uptime",
    "/sys",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
)
_WRITABLE = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/tty", "/dev/pts", "/dev/ptmx")
_PASSWORD_BYTES = 24
BOARD_SECRET = "board.password"  # noqa: S105 - the name of a file
"""Name of the file, in a server's directory, that holds the password of the board's user."""


class ClickHouseServer(Component):
    """A server with its own data directory and port."""

    name = "clickhouse"

    def __init__(
        self, library: ClickHouseLibrary, directory: Path, options: ClickHouseOptions, *, log: Path
    ) -> None:
        """Describe the server; nothing is written or started.

        Args:
            library: what runs it.
            directory: holds config.xml, users.xml, `data` and `work`.
            options: port, user, memory; the nonce is made anew at each start.
            log: file for its output.

        """
        super().__init__(log)
        self.library = library
        self.directory = directory
        self.options = options
        self._keeper = -1

    @property
    def data(self) -> Path:
        """Directory of the tables."""
        return self.directory / "data"

    @property
    def board_password_file(self) -> Path:
        """What holds the password of the board's user."""
        return self.directory / BOARD_SECRET

    @property
    def port(self) -> int:
        """Port of the HTTP interface."""
        return self.options.http_port

    def launch(self) -> Process:
        """Write the configuration and start the engine behind a pty."""
        work = self.directory / "work"
        work.mkdir(parents=True, exist_ok=True)
        self.options = replace(
            self.options, nonce=secrets.token_hex(_NONCE_BYTES), board_password=self._board_password()
        )
        self.data.mkdir(exist_ok=True)
        # Tables of its own log from another start, or another version, keep it from starting.
        shutil.rmtree(self.data / "data" / "system", ignore_errors=True)
        config, users = self.directory / "config.xml", self.directory / "users.xml"
        write_atomically(config, config_xml(self.options, str(users)).encode())
        write_atomically(users, users_xml(self.options).encode())
        script = [
            sys.executable,
            "-I",
            "-S",
            clickhouse_child.__file__,
            str(os.getpid()),
            str(self.library.path),
            json.dumps(self._secured()),
        ]
        keeper, terminal = os.openpty()
        try:
            # Without a terminal on stdin a bad handshake ends the whole process (ClickHouse issue 115666).
            tty.setraw(terminal)
            process = spawn(
                [*script, "--path", str(self.data), "--config-file", str(config)],
                cwd=work,
                log=self.log,
                stdin=terminal,
                env=self._environment(),
            )
        except BaseException:
            os.close(keeper)
            raise
        finally:
            os.close(terminal)
        self._keeper = keeper
        return process

    def is_ready(self) -> bool:
        """Say whether the server that answers on the port is the one that was started."""
        try:
            known = self.ask("SELECT getMacro('driftline_nonce')")
        except (OSError, http.client.HTTPException):
            return False
        if known.strip() != self.options.nonce:
            raise StackError(
                f"another server answers on {LOOPBACK}:{self.port}: stop it, or choose another port"
            )
        return True

    def ask(self, query: str) -> str:
        """Run one query over HTTP and return its text."""
        access, user, password = self.options.access, self.options.user, self.options.password
        if access is None:
            connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_ANSWER_SECONDS)
        else:
            context = ssl.create_default_context(cafile=str(access.authority))
            connection = http.client.HTTPSConnection(
                LOOPBACK, self.port, timeout=_ANSWER_SECONDS, context=context
            )
            user, password = READY_USER, self.options.nonce
        headers = {"X-ClickHouse-User": user, "X-ClickHouse-Key": quote(password)}
        try:
            connection.request("POST", "/", body=query.encode(), headers=headers)
            return connection.getresponse().read().decode(errors="replace")
        finally:
            connection.close()

    def _environment(self) -> dict[str, str]:
        """Variables of the child; secured, none that a user could read there by file('/proc/self/environ')."""
        if self.options.access is None:
            return {**os.environ, "TERM": "dumb"}
        return {"PATH": os.environ.get("PATH", os.defpath), "TERM": "dumb"}

    def _secured(self) -> dict[str, object] | None:
        """What the child does before it becomes the server; None without access by role."""
        access = self.options.access
        if access is None:
            return None
        readable = (*_READABLE, sys.prefix, sys.base_prefix, str(Path(clickhouse_child.__file__).parent))
        return {
            "port": self.port,
            "inner_port": access.inner_port,
            "certificate": str(access.certificate),
            "readable": [*readable, str(self.library.path.parent)],
            "writable": [str(self.directory), *_WRITABLE],
        }

    def ask_to_stop(self) -> None:
        """Say `exit` to its command line, which ends the process in some hundredths of a second."""
        with suppress(OSError):
            os.write(self._keeper, b"exit\n")
        self._release()

    def ended(self) -> None:
        """Close our end of the pty."""
        self._release()

    def _board_password(self) -> str:
        """Give the password of the board's user, made at the first start; with users by role it has another there."""
        if self.options.access is not None:
            return ""
        if not self.board_password_file.exists():
            write_atomically(self.board_password_file, secrets.token_urlsafe(_PASSWORD_BYTES).encode())
        return self.board_password_file.read_text().strip()

    def _release(self) -> None:
        if self._keeper >= 0:
            os.close(self._keeper)
            self._keeper = -1
