"""The kernel is compiled when asked, once, and also where nothing can be cached."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import types

from driftline.streams.windows import kernel


def test_importing_counters_does_not_import_numba() -> None:
    """Nothing is compiled at import: a command that only shows windows does not wait for a compiler."""
    code = "import sys, driftline.streams.windows.counters; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_kernel_is_compiled_once_a_process() -> None:
    """Warming it and asking again give the same functions."""
    kernel.warm()
    assert kernel.compiled() is kernel.compiled()


def test_without_a_folder_to_cache_in_the_kernel_still_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where numba finds no folder it may write, it compiles without a cache instead of failing."""
    real = numba.njit

    def njit(*signatures: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(*signatures, **options)

    monkeypatch.setattr(numba, "njit", njit)
    bits, sketch = types.Array(types.int32, 1, "C", readonly=True), types.Array(types.int64, 1, "C")
    latency = kernel.built(kernel._latency, [types.void(bits, sketch)])
    counted = np.zeros(kernel.LATENCY_BINS, np.int64)
    latency(np.float32([1.0, 2.0]).view(np.int32), counted)
    assert counted.sum() == 2
