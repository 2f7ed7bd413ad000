"""A real S3 server (versitygw over a folder) as a child process, with a writer and a reader of one bucket."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

from alertmanager import free_port
from emit_rig import wait_for
from programs import needed

from driftline.schemas.settings_packages import Packages
from driftline.schemas.sources import Secret

BUCKET = "models"
REGION = "us-east-1"
WRITER, READER = ("writer", "the-writers-secret"), ("reader", "the-readers-secret")


@dataclass(frozen=True)
class Bucket:
    """A bucket that is there.

    Attributes:
        endpoint: the server's address.
        folder: where its objects lie as files.
    """

    endpoint: str
    folder: Path

    def settings(self, who: tuple[str, str], prefix: str = "team/a") -> Packages:
        """Return the settings of somebody."""
        return Packages(
            store=f"s3://{BUCKET}/{prefix}",
            endpoint=self.endpoint,
            region=REGION,
            access_key=who[0],
            secret_key=Secret(who[1]),
        )


@contextmanager
def bucket(folder: Path) -> Iterator[Bucket]:
    """Run a server with one bucket, which the writer owns and the reader may get objects from."""
    program, port = needed("versitygw"), free_port()
    root, people, beside = folder / "root", folder / "people", folder / "beside"
    for each in (root, people, beside):
        each.mkdir()
    endpoint = f"http://127.0.0.1:{port}"
    env = os.environ | {"ROOT_ACCESS_KEY_ID": WRITER[0], "ROOT_SECRET_ACCESS_KEY": WRITER[1]}
    with (folder / "versitygw.log").open("ab") as log:
        process = subprocess.Popen(
            [program, "--port", f"127.0.0.1:{port}", "--health", "/health", "--iam-dir", str(people),
             "posix", "--sidecar", str(beside), str(root)],
            env=env, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for(lambda: is_ready(port), "versitygw is ready")
        subprocess.run(
            [program, "admin", "--access", WRITER[0], "--secret", WRITER[1], "--endpoint-url", endpoint,
             "create-user", "--access", READER[0], "--secret", READER[1], "--role", "user"],
            check=True, capture_output=True,
        )  # fmt: skip
        signed(port, "PUT", f"/{BUCKET}", "", b"")
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": READER[0],
                    "Action": "s3:GetObject",
                    "Resource": f"arn:aws:s3:::{BUCKET}/*",
                }
            ],
        }
        signed(port, "PUT", f"/{BUCKET}", "policy=", json.dumps(policy).encode())
        yield Bucket(endpoint, root / BUCKET)
    finally:
        process.kill()
        process.wait(10)


def is_ready(port: int) -> bool:
    """Whether it answers."""
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def signed(port: int, method: str, path: str, query: str, body: bytes) -> None:
    """Ask as the writer, signed as AWS signs (Signature Version 4); fails on any answer but 200."""
    host, now = f"127.0.0.1:{port}", datetime.now(UTC)
    stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
    digest = hashlib.sha256(body).hexdigest()
    heads = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(heads)
    asked = "\n".join(
        [method, path, query, *(f"{name}:{value}" for name, value in heads.items()), "", names, digest]
    )
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(asked.encode()).hexdigest()])
    key = f"AWS4{WRITER[1]}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    heads["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={WRITER[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, f"{path}?{query}" if query else path, body, heads)
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status in (200, 204), said
