"""Packages that break, from the store to the ack: what serves goes on, and the ack says why."""

from __future__ import annotations

import asyncio
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from believing import Life
from office import EVIDENCE, PROFILE, Office
from packaged import KEYS, Betrayal, Packed, about, linear, packed, signed_again

from driftline.agents.serving import loader
from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.loader import PackageLoader
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.signed import opened_manifest
from driftline.agents.serving.package.stores import folder_store
from driftline.agents.serving.package.trial import BOUNDS, Bounds, Trial
from driftline.schemas.control.command import ModelRef

Patch = pytest.MonkeyPatch
QUICK = Bounds(timeout_s=0.01)
SMALL = Bounds(memory_bytes=1 << 20)


def made(folder: Path, version: str) -> Packed:
    """Return a package of a version."""
    return packed(folder / version, about=about(version=version, tier="low"))


def other_model(folder: Path) -> None:
    """Let a signed package answer otherwise than its golden rows say."""
    shutil.copy(linear(folder / "other.onnx", bias=1.0), folder / "package" / "model.onnx")
    signed_again(folder / "package")


def known(office: Office, ref: ModelRef) -> None:
    """Let a version be registered and validated."""
    office.does("register", "ann", model=ref, manifest="e30=", profile=PROFILE)
    office.does("validate", "val", model=ref, evidence=EVIDENCE)


def pushed(folder: Path, store: Path) -> ModelRef:
    """Put a package into the store, and return its name."""
    signed = opened_manifest((folder / "package" / "manifest.json").read_bytes(), KEYS)
    folder_store(store, make=True).push(folder / "package", signed)
    return signed.ref


def unlisted_data(folder: Path) -> None:
    """Let the model of a signed package read a file that its manifest does not list."""
    shutil.copy(linear(folder / "other.onnx", data="w.bin"), folder / "package" / "model.onnx")
    signed_again(folder / "package")


def pickled(folder: Path) -> None:
    """Let the model of a signed package be a pickle, which would betray itself."""
    (folder / "package" / "model.onnx").write_bytes(pickle.dumps(Betrayal(folder / "witness")))
    signed_again(folder / "package")


def damaged(store: Path, of: bytes, *, is_lost: bool) -> None:
    """Damage an object of the store, or lose it."""
    found = next(one for one in store.rglob("*") if one.is_file() and one.read_bytes() == of)
    if is_lost:
        found.unlink()
        return
    found.chmod(0o600)
    found.write_bytes(b"x" * len(of))


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("golden", "did not pass its trial: its answer 'p' differs in row"),
        ("slow", "it was stopped before it loaded, for it took longer than 0.01 s"),
        ("digest", "is not the one that was signed"),
        ("lies", "was loaded, and its answer 'p' differs in row"),
        ("lacking", "is not in"),
        ("unlisted", "reads the file 'w.bin' beside itself, which the manifest does not list"),
        ("pickle", "pickle"),
        ("memory", "ran out of memory while"),
        ("crash", "it crashed with SIGSEGV while it loaded"),
    ],
)
def test_what_breaks_is_acked_and_what_serves_goes_on(
    tmp_path: Path, monkeypatch: Patch, why: str, said: str
) -> None:
    """Whatever breaks, on the way, in the trial or behind it: nothing of the package is kept, and the ack says why."""
    office, store = Office("low"), tmp_path / "store"

    async def whole() -> None:
        cache = Cache(tmp_path / "cache", max_bytes=1 << 24)
        bounds = BOUNDS

        def fetched(ref: ModelRef) -> loader.Fetched:
            return PackageLoader(cache, folder_store(store), lambda _: KEYS, bounds=bounds).fetch(ref)

        life = Life(tmp_path, office)
        life.agent._fetch = fetched
        life.hears()
        made(tmp_path, "1")
        known(office, pushed(tmp_path / "1", store))
        office.does("create", "ann", model=office.state.versions[0].model)
        await life.sees(*office.told)
        assert life.slots.champion.version == "1"
        shown = len(office.told)
        model = made(tmp_path, "2").folder / "model.onnx"
        breaks: dict[str, Callable[[], object]] = {
            "golden": lambda: other_model(tmp_path / "2"),
            "lies": lambda: other_model(tmp_path / "2"),
            "unlisted": lambda: unlisted_data(tmp_path / "2"),
            "pickle": lambda: pickled(tmp_path / "2"),
        }
        breaks.get(why, lambda: None)()
        ref = pushed(tmp_path / "2", store)
        known(office, ref)
        if why == "lies":
            monkeypatch.setattr(loader, "trial", lambda *_, **__: Trial("passed", "", 0.0))
        if why == "crash":
            crash = Trial("crashed", "it crashed with SIGSEGV while it loaded", 0.0)
            monkeypatch.setattr(loader, "trial", lambda *_, **__: crash)
        if why in ("digest", "lacking"):
            damaged(store, model.read_bytes(), is_lost=why == "lacking")
        bounds = {"slow": QUICK, "memory": SMALL}.get(why, bounds)
        office.does("shadow", "ann", model=ref)
        told = next(one for one in office.told[shown:] if one.after and one.after.phase == "prepare")
        changed = told.after
        assert changed is not None
        life.follows(told.seq)
        life.controlled.state("churn", office.published(changed))
        await life.settled()
        ack = life.post.acks[-1]
        assert (ack.outcome, ack.revision) == ("failed", changed.revision)
        assert said in ack.reason
        assert (life.slots.champion.version, life.agent.swappers["churn"].versions) == ("1", {"1"})
        assert life.agent.app._unready() is None
        assert not (tmp_path / "2" / "witness").exists()
        await life.end()

    asyncio.run(whole())


@pytest.mark.parametrize("fails", ["predict", "differs"])
def test_a_model_whose_golden_rows_cannot_be_asked_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """It was loaded, and would stay in memory at each try; its files are let go of by whoever loads."""
    held = made(tmp_path, "1")
    closed = list[bool]()

    class Odd:
        def predict(self, inputs: dict[str, Any]) -> dict[str, Any]:
            if fails == "predict":
                raise RuntimeError("it cannot")
            rows = len(next(iter(inputs.values())))
            return {one.name: np.full((rows, 1), 1e9) for one in held.signed.manifest.outputs}

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(loader, "load", lambda *_args, **_named: Odd())
    cached = loader.Cached(held.signed.ref, held.folder, held.signed.manifest, 0)
    with pytest.raises((RuntimeError, SwapError)):
        cached.load()
    assert closed == [True]
