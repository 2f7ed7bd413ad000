"""`driftline model`: a file becomes a package, which is shown, verified, tried and pushed; each failure is one line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from architectures import install, unpacked
from packaged import COLUMNS, DATA_DIGEST, ROWS, linear
from pyarrow import parquet as pq

from driftline.agents.control import keys
from driftline.agents.serving.package.about import parse_about
from driftline.deploy.cli import main
from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.plan import plan_table
from driftline.deploy.tables.profile_files import save_profile
from driftline.deploy.tables.sample import sample
from driftline.deploy.tables.source import open_table

Say = Callable[..., tuple[int, str, str]]
ABOUT = f"""
name = "churn"
version = "3"
target = "left"
owner = "Ana Ruiz"
purpose = "says who may leave"
tier = "medium"
oversight = "Bo Lind"
training_data = "{DATA_DIGEST}"
columns = ["age", "income", "visits"]
"""

WEIGHTS = (
    ABOUT.replace('columns = ["age", "income", "visits"]', 'architecture = "sleeping"')
    + """
[config]
at = "call"

[[inputs]]
name = "X"
datatype = "FP32"
shape = [-1, 3]
columns = ["age", "income", "visits"]

[[outputs]]
name = "p"
datatype = "FP32"
shape = [-1, 1]
"""
)


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Say:
    """Return what runs a command line in a folder with a model, its rows, a key and what people say of it."""
    monkeypatch.chdir(tmp_path)
    linear(tmp_path / "m.onnx")
    (tmp_path / "about.toml").write_text(ABOUT)
    pq.write_table(pa.table({**ROWS, "note": ["x"] * 40}), tmp_path / "rows.parquet")
    keys.new(tmp_path / "ana.pem")
    capfd.readouterr()

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capfd.readouterr()
        return code, out, err

    return run


PACK = (
    "model",
    "pack",
    "m.onnx",
    "--about",
    "about.toml",
    "--rows",
    "rows.parquet",
    "--key",
    "ana.pem",
    "--out",
    "p",
)


def test_a_package_is_made_shown_verified_and_pushed(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four commands lead from a file to a store, and agree on the digest."""
    code, out, err = say(*PACK)
    assert (code, err) == (0, "")
    assert out.startswith("churn 3 is packed as onnx in p, manifest ")
    digest = out.split("manifest ")[1][:64]
    code, out, _ = say("model", "inspect", "p")
    assert code == 0
    for word in (
        digest,
        "Ana Ruiz",
        "medium",
        "Bo Lind",
        "FP32",
        "[-1, 3]",
        "age, income, visits",
        "model.onnx",
    ):
        assert word in out
    public = keys.public_text(keys.load(tmp_path / "ana.pem").public)
    code, out, _ = say("model", "verify", "p", "--by", public, "--trial", "--memory-mb", "512")
    assert code == 0
    assert "churn 3 is sound" in out
    assert "its trial took" in out
    monkeypatch.setenv("DRIFTLINE_PACKAGES_STORE", str(tmp_path / "store"))
    code, out, _ = say("model", "push", "p")
    assert (code, digest in out) == (0, True)
    assert (tmp_path / "store" / "manifests" / digest).is_file()


def test_programs_get_json(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json each command prints one object, which holds the digest."""
    monkeypatch.setenv("DRIFTLINE_PACKAGES_STORE", str(tmp_path / "store"))
    made = json.loads(say(*PACK, "--json")[1])
    assert (made["format"], made["golden_rows"], made["kept_because"]) == ("onnx", 32, None)
    public = keys.public_text(keys.load(tmp_path / "ana.pem").public)
    for words in (("inspect", "p"), ("verify", "p", "--by", public, "--trial"), ("push", "p")):
        code, out, _ = say("model", *words, "--json")
        assert (code, json.loads(out)["digest"]) == (0, made["digest"])


def test_rows_may_be_tensors(say: Say, tmp_path: Path) -> None:
    """Rows of a .npz by column, and the JSON of a v2 request, do as well as a table."""
    np.savez(tmp_path / "rows.npz", **ROWS)
    assert say(*PACK, "--rows", "rows.npz")[0] == 0
    asked = {"inputs": [{"name": "X", "shape": [2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]}
    (tmp_path / "rows.json").write_text(json.dumps(asked))
    code, out, err = say(*PACK, "--rows", "rows.json", "--out", "q", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["golden_rows"] == 2


def test_a_profile_comes_along(say: Say, tmp_path: Path) -> None:
    """A profile that `profile build` wrote is in the package under its digest, and its score has a name there."""
    rng = np.random.default_rng(3)
    table = {name: rng.normal(size=600) for name in COLUMNS} | {"p_left": rng.uniform(size=600)}
    pq.write_table(pa.table(table), tmp_path / "reference.parquet")
    (tmp_path / "mapping.toml").write_text('[columns]\np_left = { role = "score" }\n')
    planned = plan_table(tmp_path / "reference.parquet", tmp_path / "mapping.toml")
    built = build_from_table(
        planned, "churn", "3", provenance="held-out", resolutions=None, threshold=None, positive_class=None
    )
    save_profile(built.profile, tmp_path / "r.profile")
    assert say(*PACK, "--profile", "r.profile")[0] == 0
    said = json.loads(say("model", "inspect", "p", "--json")[1])
    assert said["profile"] == built.profile.digest()
    assert said["manifest"]["provenance"] == "held-out"
    assert [(score["name"], score["output"]) for score in said["manifest"]["scores"]] == [("p_left", "p")]
    (tmp_path / "about.toml").write_text(ABOUT.replace('"3"', '"4"'))
    code, _, err = say(*PACK, "--profile", "r.profile", "--out", "q")
    assert code == 1
    assert "the profile is of version '3', the package of version '4'" in err


def test_the_training_data_are_hashed(say: Say, tmp_path: Path) -> None:
    """--training-data takes the place of a digest, and --version of a version."""
    (tmp_path / "data").write_bytes(b"training data")
    text = ABOUT.replace(f'training_data = "{DATA_DIGEST}"', "").replace('version = "3"', "")
    (tmp_path / "about.toml").write_text(text)
    assert say(*PACK, "--training-data", "data", "--version", "9")[0] == 0
    said = json.loads(say("model", "inspect", "p", "--json")[1])["manifest"]
    assert (said["version"], said["training_data"]) == ("9", DATA_DIGEST)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ABOUT + 'ownr = "x"\n', "about.toml has the unknown key ownr; did you mean owner?"),
        (ABOUT.replace('tier = "medium"', 'tier = "huge"'), "tier is 'huge'; it must be low, medium or high"),
        (
            ABOUT.replace('oversight = "Bo Lind"', ""),
            "oversight is lacking; it must be the person who watches",
        ),
        (
            ABOUT.replace(DATA_DIGEST, "abc"),
            "training_data is 'abc'; it must be a sha256 in 64 lower-case hex",
        ),
        (ABOUT.replace('name = "churn"', 'name = "a/b"'), "name is 'a/b'; it must be 1 to 100 letters"),
        (ABOUT + "rtol = 3\n", "rtol is 3; it must be a number, 0 to 1"),
        ("not toml", "about.toml is no TOML"),
    ],
)
def test_what_people_say_is_checked(say: Say, tmp_path: Path, text: str, told: str) -> None:
    """A key that is unknown or lacking, and a value that is not allowed, are one line with file, key and value."""
    (tmp_path / "about.toml").write_text(text)
    code, out, err = say(*PACK)
    assert (code, out) == (1, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((*PACK[:2], "none.onnx", *PACK[3:]), 1, "'none.onnx' is lacking"),
        ((*PACK[:2], "about.toml", *PACK[3:]), 1, "about.toml is neither ONNX"),
        ((*PACK, "--rows", "none.parquet"), 1, "there is no file none.parquet"),
        ((*PACK, "--rows", "none.npz"), 1, "the rows none.npz cannot be read"),
        ((*PACK, "--key", "about.toml"), 1, "about.toml"),
        ((*PACK, "--profile", "about.toml"), 1, "'about.toml' is no profile"),
        ((*PACK, "--training-data", "none"), 1, "none cannot be read: No such file"),
        ((*PACK, "--out", "rows.parquet"), 1, "rows.parquet is there already"),
        ((*PACK[:2], ".", *PACK[3:]), 1, ". is a folder: name the model's file in it"),
        (("model", "inspect", "none"), 1, "there is no folder 'none'"),
        (("model", "verify", "none"), 2, "name at least one key that may sign packages: --by KEY"),
        (("model", "verify", "none", "--by", "x"), 2, "'x' is no public key"),
        (("model", "push", "none"), 1, "no store of packages is named"),
    ],
)
def test_each_failure_is_one_line(say: Say, words: tuple[str, ...], code: int, told: str) -> None:
    """What is lacking, wrong or unreadable is one line on stderr and an exit code, never a traceback."""
    found, out, err = say(*words)
    assert (found, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1


def test_a_model_that_never_answers_ends(say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one line that names the model, the seconds and what to do, and nothing is left behind."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    path, _ = unpacked(tmp_path / "w", "sleeping")
    (tmp_path / "about.toml").write_text(WEIGHTS)
    code, out, err = say(*PACK[:2], str(path), *PACK[3:-1], "w/p", "--timeout", "1.5")
    assert (code, out) == (1, "")
    assert err == (
        f"driftline: churn 3 is not packed: its model {path} did not load and answer the rows within 1.5 s; mend it, "
        "or give it longer with --timeout\n"
    )
    assert [one.name for one in (tmp_path / "w").iterdir()] == ["m.safetensors"]


def test_a_broken_package_fails(say: Say, tmp_path: Path) -> None:
    """A package that was changed, signed by another or does not pass its trial ends with 1 and its sentence."""
    say(*PACK)
    keys.new(tmp_path / "other.pem")
    other = keys.public_text(keys.load(tmp_path / "other.pem").public)
    code, _, err = say("model", "verify", "p", "--by", other)
    assert (code, "and by none of the 1 keys" in err) == (1, True)
    (tmp_path / "p" / "surplus").write_bytes(b"")
    for words in (
        ("verify", "p", "--by", keys.public_text(keys.load(tmp_path / "ana.pem").public)),
        ("push", "p"),
    ):
        code, _, err = say("model", *words)
        assert code == 1
    assert err.startswith("driftline: ")


def test_a_sample_is_even(tmp_path: Path) -> None:
    """Of a long table every n-th row is kept, of a short one each; numbers are floats, texts objects."""
    numbers = np.arange(70_001)
    table = pa.table(
        {"n": numbers, "t": pa.array([str(n) for n in numbers]).dictionary_encode(), "b": numbers % 2 == 0}
    )
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10_000)
    found = sample(open_table(tmp_path / "t.parquet"), 100)
    steps = np.unique(np.diff(found["n"]))
    assert len(steps) == 1
    assert 100 < len(found["n"]) <= 400
    assert found["t"][1] == str(int(steps[0]))
    assert found["b"].dtype == np.float64
    pq.write_table(
        table.slice(0, 7).append_column("e", pa.array([None] * 7, pa.string())), tmp_path / "s.parquet"
    )
    short = sample(open_table(tmp_path / "s.parquet"), 100)
    assert short["n"].tolist() == list(range(7))
    assert short["e"].tolist() == [None] * 7


def test_the_page_shows_what_is_read(checkout: Path) -> None:
    """Both examples of docs/packages.md are what `--about` reads."""
    page = (checkout / "docs" / "packages.md").read_text(encoding="utf-8")
    first, second = (tomllib.loads(block.split("```")[0]) for block in page.split("```toml\n")[1:])
    assert parse_about(first, "page").scores[0].name == "p_late"
    said = parse_about({key: value for key, value in first.items() if key != "columns"} | second, "page")
    assert said.inputs[0].columns == ("hour", "distance")
