"""deploy/containers/Dockerfile: its stages, what it copies, and whom it runs as."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from composed import compose_file
from dockerfile import Context, stages

CHECKOUT = Path(__file__).resolve().parents[3]
STAGES = stages(CHECKOUT / "deploy/containers/Dockerfile")
CONTEXT = Context(CHECKOUT)


def test_every_target_is_a_stage() -> None:
    """Each target that docker-compose.yml builds is a stage, from a Dockerfile that is there."""
    builds = [one["build"] for one in compose_file(CHECKOUT)["services"].values() if "build" in one]
    assert {one["target"] for one in builds} == STAGES.keys() - {"build"}
    assert {one["dockerfile"] for one in builds} == {"deploy/containers/Dockerfile"}


def test_what_is_copied_is_given_to_the_build() -> None:
    """Each COPY names files of the checkout that .dockerignore lets in, or a path of a stage."""
    for stage in STAGES.values():
        for words in stage.of("COPY"):
            *sources, _ = words.split()
            if sources[0].startswith("--from="):
                assert sources[0].removeprefix("--from=") in STAGES
                continue
            given = [
                one for one in sources for name in CONTEXT.files if name == one or name.startswith(f"{one}/")
            ]
            assert set(given) == set(sources)


def test_the_build_is_given_what_the_wheel_has_and_no_more() -> None:
    """No test, document or manifest is given to the build, and all data of packages is."""
    top = {name.partition("/")[0] for name in CONTEXT.files}
    assert top == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "MANIFEST.in",
        "requirements",
        "schemas",
        "agents",
        "streams",
        "deploy",
    }
    assert not [
        name
        for name in CONTEXT.files
        if name.startswith(("deploy/k8s", "deploy/containers", "deploy/grafana"))
    ]
    for data in (
        "deploy/local/SHA256SUMS",
        "streams/clickhouse/migrations/0001_predictions.sql",
        "agents/audit/FORMAT.md",
    ):
        assert data in CONTEXT.files


@pytest.mark.parametrize("name", ["driftline", "grafana"])
def test_images_run_as_nobody_s_root(name: str) -> None:
    """The last user of an image is named by number and is not root."""
    assert re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", STAGES[name].of("USER")[-1])


def test_the_user_is_that_of_the_services() -> None:
    """The image's user is the one that services run as, and has the folders that volumes are mounted on."""
    services = compose_file(CHECKOUT)["services"]
    user = STAGES["driftline"].of("USER")[-1]
    assert {one["user"] for one in services.values() if one["image"].startswith("driftline:")} == {user}
    made = " ".join(STAGES["driftline"].of("RUN"))
    assert f"--uid {user.partition(':')[0]} " in made
    whole = {
        one.split(":")[1]
        for service in services.values()
        if service["image"].startswith("driftline:")
        for one in service.get("volumes", ())
        if isinstance(one, str) and not one.startswith("./")
    }
    assert whole <= set(made.split())


def test_it_ends_as_workers_expect() -> None:
    """A container is told to end by the signal that every command of ours heeds, and runs `driftline`."""
    image = STAGES["driftline"]
    assert (image.of("STOPSIGNAL"), image.of("ENTRYPOINT")) == (["SIGTERM"], ['["driftline"]'])


def test_every_distribution_is_held_to_its_hash() -> None:
    """Each `pip install` asks for hashes, or installs nothing but the checkout."""
    installs = [words for words in STAGES["build"].of("RUN") if " install " in words]
    assert len(installs) == 3
    assert all(
        "--require-hashes" in words or words.endswith("--no-deps --no-index --no-build-isolation .")
        for words in installs
    )


def test_nothing_secret_is_built_in() -> None:
    """No ARG or ENV carries a password, a token or a key."""
    given = " ".join(
        words for stage in STAGES.values() for kind in ("ARG", "ENV") for words in stage.of(kind)
    )
    assert not re.search(r"PASSWORD|SECRET|TOKEN|KEY", given)
