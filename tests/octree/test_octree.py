import pytest

from napari_octree.octree import LevelTransform, Octree


def test_virtual_levels_halve_only_the_axes_that_are_too_long():
    octree = Octree.from_shapes([(5000, 300), (2500, 150)], 256, max_overview=1000)
    assert octree.virtual_from == 2
    assert [level.shape for level in octree.levels] == [
        (5000, 300),
        (2500, 150),
        (1250, 150),
        (625, 150),
    ]
    assert octree.factors == ((1, 2, 4, 8), (1, 2, 2, 2))


def test_virtual_levels_keep_the_translation_of_the_one_below():
    transforms = [LevelTransform((1, 1), (0, 0)), LevelTransform((2, 2), (0.5, -0.5))]
    octree = Octree.from_shapes([(40, 40), (20, 20)], 8, transforms, max_overview=10)
    assert octree.coarsest.transform == LevelTransform((4, 4), (0.5, -0.5))
    assert octree.coarsest.shape == (10, 10)


def test_a_pyramid_that_ends_small_gets_no_virtual_level():
    octree = Octree.from_shapes([(2048, 2048), (1024, 1024)], 256)
    assert octree.virtual_from is None
    assert len(octree.levels) == 2


def test_a_single_level_of_the_largest_size():
    octree = Octree.from_shapes([(2**40, 2**40)], 256)
    assert octree.virtual_from == 1
    assert octree.coarsest.shape == (1024, 1024)


def test_a_single_pixel():
    octree = Octree.from_shapes([(1, 1)], 256)
    assert octree.levels[0].grid_shape == (1, 1)
    assert octree.extent == (1, 1)


@pytest.mark.parametrize(
    ("shapes", "tile", "transforms"),
    [
        ([(8, 8)], 0, None),
        ([(8, 8)], (4, 4, 4), None),
        ([(8, 8)], 4, []),
        ([(8, 8)], 4, [LevelTransform((2, 2), (0, 0))]),
        ([(8, 8), (4, 4)], 4, [LevelTransform((1, 1), (0, 0)), LevelTransform((0.5, 1), (0, 0))]),
        ([(4, 4), (8, 8)], 4, None),
    ],
)
def test_what_cannot_be_an_octree_is_refused(shapes, tile, transforms):
    with pytest.raises(ValueError, match=r"level|tile|transform"):
        Octree.from_shapes(shapes, tile, transforms)
