"""Java witnesses: Apache Avro and Kafka's own producer, asked through a pipe; jars by Maven, by SHA-256."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from driftline.deploy.local import checksums
from driftline.deploy.local.cache import cache_root, digest_of, prepared
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_jars import fetch_jars
from driftline.deploy.local.programs import JAVA, MAVEN, find, run

Ask = Callable[[Sequence[str]], list[str]]
FOLDER = Path(__file__).resolve().parent / "java"
FETCH_SECONDS = 300.0
ANSWER_SECONDS = 60.0


def witness_jars() -> Path:
    """Return the folder of the jars of java/pom.xml, fetched once and checked against SHA256SUMS."""
    pom, sums = (FOLDER / "pom.xml").read_bytes(), (FOLDER / "SHA256SUMS").read_bytes()

    def make(directory: Path) -> None:
        (directory / "pom.xml").write_bytes(pom)
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={directory / 'lib'}",
        ]
        command = [find(MAVEN), "-B", "-q", "-C", *goal]
        run(
            command,
            what="fetching Apache Avro by Maven",
            cwd=directory,
            seconds=FETCH_SECONDS,
            progress=print,
        )
        checksums.verify(directory / "lib", checksums.parse(sums.decode()))

    name = f"contract-witness-{digest_of(pom, sums)}"
    return prepared(cache_root(os.environ), name, make, print) / "lib"


def built(java: str, name: str, jars: Path, compiler: Path, folder: Path) -> Ask:
    """Compile a witness and return a function that gives it lines and returns its answers.

    The compiler is Eclipse's, from a jar: a JRE is enough, as it is for the broker.
    """
    class_path = ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
    source = str(FOLDER / f"{name}.java")
    compile_it = ["-17", "-nowarn", "-encoding", "UTF-8", "-cp", class_path, "-d", str(folder), source]
    subprocess.run([java, "-jar", str(compiler), *compile_it], check=True, timeout=ANSWER_SECONDS)

    def ask(lines: Sequence[str]) -> list[str]:
        done = subprocess.run(
            [java, "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", f"{folder}:{class_path}", name],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            encoding="utf-8",
            timeout=ANSWER_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]  # U+0085 in a text ends no line

    return ask


@pytest.fixture(scope="session")
def avro_java(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return Apache Avro for Java; fails with the line that installs java or mvn when one is missing."""
    return _witness("AvroWitness", tmp_path_factory.mktemp("avro"), witness_jars)


@pytest.fixture(scope="session")
def kafka_java(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Return Kafka's own producer code, from the jars of the local stack's broker."""
    folder = tmp_path_factory.mktemp("keys")
    return _witness("KeyWitness", folder, lambda: fetch_jars(os.environ, print).directory)


def _witness(name: str, folder: Path, jars: Callable[[], Path]) -> Ask:
    try:
        compiler = next(witness_jars().glob("ecj-*.jar"))
        return built(find(JAVA), name, jars(), compiler, folder)
    except StackError as error:
        pytest.fail(f"this test asks Java: {error}", pytrace=False)
