"""What an agent does about its memory: its threads share a heap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import served

SCRIPT = """
import asyncio
import ctypes
import threading
from pathlib import Path

from served import agent, running

folder = Path(sys.argv[2])
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = (ctypes.c_void_p,)
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)


def heaps():
    told = folder / "malloc.xml"
    file = libc.fopen(bytes(told), b"w")
    assert file and libc.malloc_info(0, file) == 0
    libc.fclose(file)
    return told.read_text().count("<heap nr=")


def fill(all_here):
    held = bytearray(100_000)
    all_here.wait(30)
    del held


async def whole():
    async with running(agent(folder)):
        before = heaps()
        all_here = threading.Barrier(9)
        threads = [threading.Thread(target=fill, args=(all_here,)) for _ in range(8)]
        for one in threads:
            one.start()
        await asyncio.to_thread(all_here.wait, 30)
        for one in threads:
            one.join()
        print(before, heaps())


asyncio.run(whole())
"""


def test_threads_of_an_agent_share_a_heap(tmp_path: Path) -> None:
    """Threads that start while it serves get no heap of their own, each of which would keep its holes."""
    script = "import sys\nsys.path.append(sys.argv[1])\n" + SCRIPT
    place = str(Path(served.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", script, place, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert 1 <= after == before
