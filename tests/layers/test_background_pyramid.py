"""Coarser levels that are computed while nobody waits for anything."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.layers.slices.background_pyramid import BackgroundPyramid
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.sources.derived.reduction import reduce_mean, reduce_nearest
from recording_array import random_pixels

SIDE = 2048


def config(ram_bytes: int = 256 * 2**20, **octree: Any) -> OctreeConfig:
    return OctreeConfig(
        octree={"background_pyramid": True, "tile_size": 256, **octree},
        memory={"ram_bytes": ram_bytes},
        render={"prefetch": {"slices": 0}},
    )


def means(data: np.ndarray, levels: int) -> list[np.ndarray]:
    """Each level averaged from the one before, over the last two axes."""
    result = [data]
    for _ in range(levels):
        factors = (1,) * (data.ndim - 2) + (2, 2)
        result.append(reduce_mean(result[-1], factors))
    return result


def is_refined(layer: OctreeImage) -> bool:
    return not layer.octree_slice.can_be_refined and layer.statistics.refined == 1.0


def test_averages_replace_single_pixels_of_an_array_in_memory(
    viewer, pump_until, screenshot
) -> None:
    data = random_pixels((3, SIDE, SIDE), "uint8")
    layer = viewer.add_layer(OctreeImage([data], config=config(), contrast_limits=(0, 255)))
    assert layer.wait_until_settled(30)
    for z in (0, 2):
        viewer.dims.set_point(0, z)
        pump_until(lambda: is_refined(layer) and layer.settled)
        expected = means(data[z], 1)[1]
        np.testing.assert_array_equal(layer._slice.image.raw, expected)
    # Averages of noise are nearer to grey than single pixels are.
    assert screenshot(viewer)[50:-50, 60:-60, 0].std() < 0.7 * data.std()


def test_reads_each_chunk_of_a_store_once_and_only_in_workers(
    viewer, recording_array, read_log, pump_until
) -> None:
    data = random_pixels((SIDE, SIDE), "uint16")
    array = recording_array(data, (32, 32))  # so many that an overview is a sample of them
    layer = viewer.add_layer(OctreeImage([array], config=config(), contrast_limits=(0, 2**16)))
    assert layer.octree_slice.is_sampled(1)
    pump_until(lambda: is_refined(layer) and layer.settled)
    reads = Counter(tuple((s.start, s.stop) for s in read.index) for read in read_log.reads)
    assert set(reads.values()) == {1}
    assert read_log.in_gui_thread == []
    assert "a sample" not in layer.get_status((1000, 1000))["value"]
    np.testing.assert_array_equal(layer._slice.image.raw, means(data, 1)[1])


def test_labels_are_not_averaged(viewer, recording_array, pump_until) -> None:
    data = random_pixels((SIDE, SIDE), "uint16")
    labels = config(reduction="nearest")
    layer = viewer.add_layer(OctreeImage([recording_array(data, (32, 32))], config=labels))
    pump_until(lambda: is_refined(layer) and layer.settled)
    np.testing.assert_array_equal(layer._slice.image.raw, reduce_nearest(data, (2, 2)))


def test_nothing_is_left_to_do_where_every_pixel_has_been_seen(qapp, recording_array) -> None:
    data = random_pixels((SIDE, SIDE), "uint8")
    stored = OctreeImage([recording_array(data, (512, 512))], config=config())
    assert not stored.octree_slice.can_be_refined
    taken = OctreeImage([data], config=config(reduction="nearest"))
    assert not taken.octree_slice.can_be_refined


SAMPLE = 32**2
"""Chunks of 32² that an overview of SIDE² is made of, with tiles of 256²."""

TILE = 16**2
"""Chunks below a tile of the level above."""

READERS = 2


def test_it_stops_when_the_slider_moves_on_and_when_the_layer_goes(
    viewer, recording_array, read_log, pump_until
) -> None:
    array = recording_array(random_pixels((4, SIDE, SIDE), "uint8"), (1, 32, 32))
    alone = config(loaders={0: {"num_workers": READERS}})
    read_log.hold()
    layer = viewer.add_layer(OctreeImage([array], config=alone))
    viewer.dims.set_point(0, 0)
    # Enough for one reader to come to the end of a tile, not for all of the tiles.
    read_log.release(2 * SAMPLE + (READERS + 1) * TILE)
    pump_until(lambda: layer.settled)
    pump_until(lambda: layer.statistics.refined > 0)
    assert layer.statistics.refined < 1
    assert "computed" in layer.get_status((0, 1000, 1000))["value"]
    viewer.dims.set_point(0, 2)
    read_log.release(SAMPLE + READERS * TILE)
    pump_until(lambda: layer.settled)
    viewer.layers.remove(layer)
    read_log.release()
    pump_until(lambda: layer.statistics.loader["reading"] == 0)
    planes = Counter(read.index[0].start for read in read_log.reads)
    assert planes[0] < (SIDE // 32) ** 2
    assert planes[2] < (SIDE // 32) ** 2


def test_it_works_only_while_the_layer_is_idle(
    qapp, recording_array, read_log, pump_until
) -> None:
    array = recording_array(random_pixels((SIDE, SIDE), "uint8"), (32, 32))
    layer = OctreeImage([array], config=OctreeConfig())
    pump_until(lambda: layer._overview.settled)
    plain, done = layer.octree_slice, []

    class Listener:
        def on_done(self) -> None:
            done.append(True)

    listener = Listener()
    background = BackgroundPyramid(layer.loader, listener.on_done)
    before = len(read_log.reads)
    background.look(plain, False)
    assert layer.statistics.loader["reading"] == 0
    assert len(read_log.reads) == before
    read_log.hold()
    background.look(plain, True)
    pump_until(lambda: read_log.waiting)
    background.look(plain, False)
    read_log.release()
    pump_until(lambda: layer.statistics.loader["reading"] == 0)
    assert background.share < 1
    assert background.best(plain) is plain
    background.look(plain, True)
    pump_until(lambda: done)
    assert background.share == 1
    assert background.best(plain).sources[1] is plain.reduced_sources[1]
    chunks = Counter(str(read.index) for read in read_log.reads)
    assert set(chunks.values()) == {1}


@pytest.mark.parametrize("moving", [False, True])
def test_a_layer_is_not_idle_while_a_view_moves(qapp, monkeypatch, moving) -> None:
    layer = OctreeImage([np.zeros((SIDE, SIDE), np.uint8)], config=config())
    looks: list[tuple[Any, bool]] = []
    monkeypatch.setattr(layer._background, "look", lambda *look: looks.append(look))
    layer._use_idle_time(True)
    layer.attach_view(
        SimpleNamespace(
            view=None,
            levels=(0,),
            settled=True,
            stuck=False,
            moving=moving,
            level=0,
            progress=OctreeProgress(),
            request_frame=lambda: None,
        )
    )
    layer._use_idle_time(True)
    layer._use_idle_time(False)
    here = layer.octree_slice
    assert looks[:3] == [(None, True), (here, not moving), (here, False)]


def test_what_is_kept_is_bounded(viewer, pump_until) -> None:
    data = random_pixels((4096, 4096), "uint8")
    layer = viewer.add_layer(OctreeImage([data], config=config(16 * 2**20, tile_size=64)))
    plain = layer.octree_slice
    pump_until(lambda: is_refined(layer) and layer.settled)
    changed = [a is not b for a, b in zip(plain.sources, layer.octree_slice.sources, strict=True)]
    assert changed == [False, False, True]  # 1 MiB, where the next one would take 4
    assert layer.statistics.loader["cached_bytes"] <= 16 * 2**20
    np.testing.assert_array_equal(layer._slice.image.raw, means(data, 2)[2])


def test_where_nothing_fits_nothing_is_done(viewer, pump) -> None:
    layer = viewer.add_layer(
        OctreeImage([np.zeros((4096, 4096), np.uint8)], config=config(4 * 2**20))
    )
    assert layer.wait_until_settled(30)
    pump()
    assert layer.octree_slice.can_be_refined
    assert layer.statistics.refined == 1


def test_a_tile_that_cannot_be_read_ends_it(viewer, recording_array, read_log, pump_until) -> None:
    read_log.failure = lambda read: (  # a chunk that the overview is not made of
        ValueError("broken") if read.index[0].start == read.index[1].start == 0 else None
    )
    array = recording_array(random_pixels((SIDE, SIDE), "uint8"), (32, 32))
    layer = viewer.add_layer(OctreeImage([array], config=config()))
    pump_until(lambda: layer.settled)
    pump_until(lambda: layer.loader.failures and layer.statistics.refined == 1)
    assert layer.octree_slice.can_be_refined
    assert layer.settled


def test_neighbouring_slices_and_former_ones_are_not_taken_for_refined(viewer, pump_until) -> None:
    data = random_pixels((3, SIDE, SIDE), "uint8")
    layer = viewer.add_layer(OctreeImage([data], config=config()))
    viewer.dims.set_point(0, 1)
    pump_until(lambda: is_refined(layer) and layer.settled)
    refined = layer.octree_slice
    assert refined.moved(0, 1).can_be_refined
    viewer.dims.set_point(0, 2)
    pump_until(lambda: is_refined(layer) and layer.settled)
    assert layer._background.best(refined.at(refined.key)).can_be_refined


def test_in_3d_the_bricks_are_averaged(viewer, pump_until) -> None:
    data = random_pixels((40, 200, 200), "uint8")
    layer = viewer.add_layer(OctreeImage([data], config=config(brick_size=32)))
    viewer.dims.ndisplay = 3
    pump_until(lambda: is_refined(layer) and layer.settled)
    coarsest = len(layer.octree_slice.octree.levels) - 1
    assert coarsest == 2
    expected = reduce_mean(reduce_mean(data, (1, 2, 2)), (1, 2, 2))
    np.testing.assert_array_equal(layer._slice.image.raw, expected)
