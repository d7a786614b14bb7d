"""The first steps of the random user of `benchmarks/soak`, with every check of it.

The walk is counted in moves, not minutes, so that it is the same on every machine. No store fails
here: after each failure the loader waits, for longer than a test may.
"""

from __future__ import annotations

import gc

import pytest
from benchmarks.soak.invariants import CONFIG, faults
from benchmarks.soak.user import User

from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM


@pytest.mark.parametrize("seed", [2])
def test_the_first_steps(make_viewer, pump_until, seed) -> None:
    gc.collect()
    held = VRAM.held_bytes
    clients = default_loader(CONFIG).statistics.clients
    with faults() as found:
        user = User(seed, lambda: make_viewer((150, 200)), failing=(0.0, 0.0, 0.0))
        for _ in range(150):
            user.move()
        user.rest()
        user.close()
    assert not found
    assert len(user.done) > 10
    assert VRAM.held_bytes == held
    del user

    def freed() -> bool:
        gc.collect()
        return default_loader(CONFIG).statistics.clients <= clients

    pump_until(freed)  # a finalizer only starts what then happens in a thread
