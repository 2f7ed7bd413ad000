"""The jars of Apache Kafka: fetched by Maven, checked against SHA256SUMS, with an archive for a faster start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from driftline.deploy.local import checksums
from driftline.deploy.local.cache import Progress, cache_root, digest_of, prepared
from driftline.deploy.local.programs import JAVA, MAVEN, find, run

_FETCH_SECONDS = 900.0
_RESOURCES = "driftline.deploy.local"


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """Where the jars lie and how to start a JVM on them.

    Attributes:
        java: path of the java program.
        directory: the checked jars.
        version: version of Kafka, as in the pom.
        archive: class-data-sharing archive for this Java and these jars, None before it was made.

    """

    java: str
    directory: Path
    version: str
    archive: Path | None = None

    def command(self, main_class: str, *options: str) -> list[str]:
        """Return the start of a command line: java, options, class path and main class.

        The class path is spelled out in a fixed order because an archive is valid for exactly one class path.
        """
        shared = [f"-XX:SharedArchiveFile={self.archive}"] if self.archive is not None else []
        class_path = ":".join(str(jar) for jar in sorted(self.directory.glob("*.jar")))
        return [self.java, *shared, *options, "-cp", class_path, main_class]


def fetch_jars(env: Mapping[str, str], progress: Progress) -> KafkaJars:
    """Return the jars, fetching and checking them when the cache does not hold them yet.

    Raises:
        StackError: java or mvn is missing, the fetch failed, or a jar is not the expected one.

    """
    java = find(JAVA)
    pom = files(_RESOURCES).joinpath("pom.xml").read_bytes()
    sums = files(_RESOURCES).joinpath("SHA256SUMS").read_bytes()
    version = kafka_version(pom.decode())

    def make(directory: Path) -> None:
        maven = find(MAVEN)
        (directory / "pom.xml").write_bytes(pom)
        what = f"fetching Apache Kafka {version} by Maven (45 MB, once)"
        progress(what)
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={directory / 'lib'}",
        ]
        run(
            [maven, "-B", "-q", "-C", *goal],
            what=what,
            cwd=directory,
            seconds=_FETCH_SECONDS,
            progress=progress,
        )
        checksums.verify(directory / "lib", checksums.parse(sums.decode()))

    root = prepared(cache_root(env), f"kafka-{version}-{digest_of(pom, sums)}", make, progress)
    return KafkaJars(java, root / "lib", version)


def kafka_version(pom: str) -> str:
    """Return the version of Kafka that a pom names.

    >>> kafka_version("<artifactId>kafka_2.13</artifactId> <version>4.4.0</version>")
    '4.4.0'
    """
    found = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([\d.]+)</version>", pom)
    if found is None:
        raise ValueError(pom)
    return found[1]
