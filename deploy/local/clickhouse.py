"""The local ClickHouse: the real engine out of its library, as a child process with the HTTP interface."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import sys
import tty
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from driftline.deploy.local import clickhouse_child
from driftline.deploy.local.clickhouse_config import ClickHouseOptions, config_xml, users_xml
from driftline.deploy.local.clickhouse_library import ClickHouseLibrary
from driftline.deploy.local.component import Component
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.ports import LOOPBACK
from driftline.deploy.local.spawn import Process, spawn

_ANSWER_SECONDS = 5.0
_NONCE_BYTES = 12


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
    def port(self) -> int:
        """Port of the HTTP interface."""
        return self.options.http_port

    def launch(self) -> Process:
        """Write the configuration and start the engine behind a pty."""
        self.options = replace(self.options, nonce=secrets.token_hex(_NONCE_BYTES))
        work = self.directory / "work"
        work.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        # Tables of its own log from another start, or another version, keep it from starting.
        shutil.rmtree(self.data / "data" / "system", ignore_errors=True)
        config, users = self.directory / "config.xml", self.directory / "users.xml"
        config.write_text(config_xml(self.options, str(users)))
        _write_private(users, users_xml(self.options))
        script = [
            sys.executable,
            "-I",
            "-S",
            clickhouse_child.__file__,
            str(os.getpid()),
            str(self.library.path),
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
                env={**os.environ, "TERM": "dumb"},
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
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_ANSWER_SECONDS)
        headers = {"X-ClickHouse-User": self.options.user, "X-ClickHouse-Key": quote(self.options.password)}
        try:
            connection.request("POST", "/", body=query.encode(), headers=headers)
            return connection.getresponse().read().decode(errors="replace")
        finally:
            connection.close()

    def ask_to_stop(self) -> None:
        """Say `exit` to its command line, which ends the process in some hundredths of a second."""
        with suppress(OSError):
            os.write(self._keeper, b"exit\n")
        self._release()

    def ended(self) -> None:
        """Close our end of the pty."""
        self._release()

    def _release(self) -> None:
        if self._keeper >= 0:
            os.close(self._keeper)
            self._keeper = -1


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, since it may hold a digest of a password."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
