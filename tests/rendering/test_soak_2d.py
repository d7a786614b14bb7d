"""The first steps of the long walk of `benchmarks/soak_2d.py`, with every check of it."""

from __future__ import annotations

import gc

from benchmarks.soak_2d import CONFIG, Walk, faults

from napari_octree.loading.loader import default_loader
from napari_octree.rendering.gpu.vram import VRAM


def test_a_short_walk(make_viewer, pump) -> None:
    gc.collect()
    held = VRAM.held_bytes
    clients = default_loader(CONFIG).statistics.clients
    with faults() as found:
        walk = Walk(1, lambda: make_viewer((150, 200)))
        for _ in range(150):
            walk.move()
        assert walk.sample().uploads > 50
        walk.close()
    assert not found
    assert VRAM.held_bytes == held
    del walk
    for _ in range(3):
        pump()
        gc.collect()
    assert default_loader(CONFIG).statistics.clients <= clients
