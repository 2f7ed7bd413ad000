"""The examples in other languages write the record that readers know."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

COPIES = ("go/prediction.avsc", "java/src/main/resources/prediction.avsc")


@pytest.mark.parametrize("copy", COPIES)
def test_the_schema_of_an_example_is_that_of_the_contract(checkout: Path, copy: str) -> None:
    """A copy travels with each program; it is the published schema, byte by byte."""
    published = (checkout / "schemas" / "events" / "prediction.v1.avsc").read_bytes()
    assert (checkout / "deploy" / "examples" / copy).read_bytes() == published


def test_the_environment_of_the_spark_job_is_locked(checkout: Path) -> None:
    """Everything that the job imports, and all that the bare install needs, has a line in requirements/spark.txt."""
    locked = (checkout / "requirements" / "spark.txt").read_text(encoding="ascii")
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        "pyspark",
        "pandas",
        "pyarrow",
        *(one.split(">")[0] for one in project["project"]["dependencies"]),
    ]
    assert [name for name in wanted if f"\n{name}==" not in f"\n{locked}"] == []
