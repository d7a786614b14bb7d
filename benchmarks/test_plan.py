"""How long a plan takes. Run by ``make bench``.

Aims: 256 visible tiles within 1 ms, 1000 bricks within 2 ms (median), and no more than 1.2 times
as long for an image of 2^40 pixels a side as for one of 2^13.
"""

from __future__ import annotations

import pytest
from benchmarks.plan_scenes import CAMERAS, SIDES, STATES, camera, plan, scene, volume

from napari_octree.octree import intersect, select_bricks, wish_list
from napari_octree.octree.cover.cover import cover


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("state", STATES)
def test_plan_of_256_tiles(benchmark, side, state):
    """Whole plans, in the states that a user goes through."""
    it = scene(SIDES[side], state)
    result = benchmark(plan, it.octree, it.view, it.resident)
    benchmark.extra_info["tiles"] = len(result[0])


@pytest.mark.parametrize("tiles", [4, 8, 16, 32])
def test_plan_by_number_of_tiles(benchmark, tiles):
    """The cost follows the number of visible tiles."""
    it = scene(2**20, "panning", tiles)
    result = benchmark(plan, it.octree, it.view, it.resident)
    assert len(result[0]) == tiles**2


@pytest.mark.parametrize("part", ["intersect", "wish_list", "cover"])
def test_parts_of_a_plan(benchmark, part):
    """Where the time goes."""
    it = scene(2**20, "panning")
    found = intersect(it.octree, it.view)
    if part == "intersect":
        benchmark(intersect, it.octree, it.view)
    elif part == "wish_list":
        benchmark(wish_list, it.octree, found)
    else:
        benchmark(cover, it.octree, found, it.resident)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", CAMERAS)
def test_bricks_of_a_thousand(benchmark, side, kind):
    """Choices of up to 1000 bricks."""
    octree, view = volume(SIDES[side]), camera(SIDES[side], kind)
    result = benchmark(select_bricks, octree, view, 1000)
    benchmark.extra_info["bricks"] = len(result)
    assert len(result) <= 1000
