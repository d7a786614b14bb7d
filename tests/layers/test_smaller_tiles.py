"""Levels whose arrays ask for small tiles have them."""

import numpy as np
import pytest

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.octree.octree import Octree
from napari_octree.sources.mosaic.given_mosaic import given_mosaic


@pytest.fixture
def levels():
    image = np.zeros((64, 64), "u1")
    made, _ = given_mosaic([(image, (64 * (n // 20), 64 * (n % 20))) for n in range(400)])
    return list(made)


def test_a_tile_that_would_show_many_images_is_smaller(levels):
    config = OctreeConfig(octree={"tile_size": 256})
    octree = OctreeImage(levels, config=config).octree_slice.octree
    assert [level.tile_shape for level in octree.levels] == [(256, 256), (128, 128)]
    places = levels[0].places.at_level(levels[1].factors)
    tiles = [octree.levels[1].tile_region(index) for index in np.ndindex(5, 5)]
    assert max(len(places.find(tile)) for tile in tiles) == 16
    assert levels[1].grid((1, 1)).region((1, 2)) == octree.levels[1].tile_region((1, 2))


def test_a_size_that_somebody_has_chosen_is_an_upper_bound(levels):
    config = OctreeConfig(octree={"tile_size": 32})
    octree = OctreeImage(levels, config=config).octree_slice.octree
    assert {level.tile_shape for level in octree.levels} == {(32, 32)}


@pytest.mark.parametrize(("level", "shape"), [(0, (8, 8)), (1, (17, 8)), (1, (0, 8))])
def test_tiles_cannot_be_larger_than_their_place(level, shape):
    with pytest.raises(ValueError, match=f"tiles of level {level} cannot be"):
        Octree.from_shapes([(64, 64), (32, 32)], 16, smaller_tiles={level: shape})
