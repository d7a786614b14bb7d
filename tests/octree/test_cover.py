import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_octree.octree import Octree, View, by_level, cover, intersect
from octree.reference import source_at
from octree.strategies import pyramids, resident_sets, views


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_cover_is_a_partition_with_the_right_source_everywhere(data):
    octree = data.draw(pyramids())
    view = data.draw(views(octree))
    resident = data.draw(resident_sets(octree))
    intersection = intersect(octree, view)
    result = cover(octree, intersection, resident)
    tiles = octree.levels[intersection.level].bounds(intersection.tiles)

    pieces = np.concatenate([result.rectangles, result.blank])
    assert_partition(pieces, tiles)
    for piece, chunk in zip(pieces, [*result.chunks, *[None] * len(result.blank)], strict=True):
        assert_source(octree, intersection, resident, piece, chunk)
    for rectangle, chunk, texels, relative in zip(
        result.rectangles, result.chunks, result.texels, result.relative_levels, strict=True
    ):
        assert relative == chunk.level - intersection.level
        level = octree.levels[chunk.level]
        first = [start for start, _ in level.tile_region(chunk.index)]
        for corner in (0, 2):
            expected = np.subtract(
                level.transform.from_octree(rectangle[corner : corner + 2]), first
            )
            np.testing.assert_allclose(texels[corner : corner + 2], expected, atol=1e-9)
    assert result.complete == (len(result.blank) == 0 and bool(result.ideal.all()))


def assert_partition(pieces, tiles):
    """Pieces neither overlap nor leave gaps: on the grid of all edges each cell is in just one."""
    everything = np.concatenate([pieces, tiles])
    ys = np.unique(everything[:, [0, 2]])
    xs = np.unique(everything[:, [1, 3]])

    def painted(rectangles):
        count = np.zeros((max(len(ys) - 1, 0), max(len(xs) - 1, 0)), int)
        for y0, x0, y1, x1 in rectangles:
            assert y0 < y1
            assert x0 < x1
            rows = slice(*np.searchsorted(ys, [y0, y1]))
            count[rows, slice(*np.searchsorted(xs, [x0, x1]))] += 1
        return count

    # Every edge of a piece is one of `ys`, `xs` exactly, so an edge that two neighbours computed
    # differently would make a sliver that nobody or both paint.
    np.testing.assert_array_equal(painted(pieces), painted(tiles))
    assert painted(tiles).max(initial=0) <= 1


def assert_source(octree, intersection, resident, piece, chunk):
    y0, x0, y1, x1 = piece
    thin = 4 * octree.slack
    for v in (0.0, 0.5, 1.0):
        for u in (0.0, 0.5, 1.0):
            point = (
                min(max(y0 + v * (y1 - y0), y0 + thin), y1 - thin),
                min(max(x0 + u * (x1 - x0), x0 + thin), x1 - thin),
            )
            expected = source_at(octree, intersection.level, point, resident, 2)
            assert chunk == expected, point


def square(side, levels, tile=256):
    return Octree.from_shapes([(side >> k, side >> k) for k in range(levels)], tile)


def test_everything_resident_is_the_ideal_tiles_themselves():
    octree = square(4096, 3)
    intersection = intersect(octree, View.of_box((0, 0), (1000, 1000)))
    result = cover(octree, intersection, by_level(intersection.chunks))
    assert result.complete
    assert result.chunks == intersection.chunks
    np.testing.assert_array_equal(result.texels, [[0, 0, 256, 256]] * 16)


def test_nothing_resident_is_blank():
    octree = square(4096, 3)
    intersection = intersect(octree, View.of_box((0, 0), (1000, 1000)))
    result = cover(octree, intersection, {})
    assert not result.complete
    assert len(result.chunks) == 0
    assert len(result.blank) == 16


def test_zooming_out_shows_finer_tiles_where_they_are_and_an_ancestor_elsewhere():
    octree = square(2048, 4)
    view = View.of_box((0, 0), (512, 512), pixel_size=2.0)
    intersection = intersect(octree, view)
    assert intersection.chunks == ((1, (0, 0)),)
    resident = by_level([*keys(0, [(0, 0), (0, 1)]), *keys(2, [(0, 0)])])
    result = cover(octree, intersection, resident)
    shown = {
        c: (r, t)
        for c, r, t in zip(
            result.chunks, result.rectangles.tolist(), result.texels.tolist(), strict=True
        )
    }
    assert shown == {
        (0, (0, 0)): ([0, 0, 256, 256], [0, 0, 256, 256]),
        (0, (0, 1)): ([0, 256, 256, 512], [0, 0, 256, 256]),
        # One rectangle for the whole lower half, not one per missing child.
        (2, (0, 0)): ([256, 0, 512, 512], [64, 0, 128, 128]),
    }
    assert result.relative_levels.tolist() == [-1, -1, 1]


def keys(level, indices):
    from napari_octree.octree import ChunkKey

    return [ChunkKey(level, i) for i in indices]


def test_ancestors_that_do_not_nest_share_a_tile():
    octree = Octree.from_shapes([(300, 300), (200, 200)], 100, max_overview=1000)
    # Tiles of level 1 are 150 wide: the middle tile of level 0 lies half in each.
    view = View.of_box((110, 110), (190, 190))
    intersection = intersect(octree, view)
    result = cover(octree, intersection, by_level(keys(1, [(0, 0), (0, 1), (1, 1)])))
    assert sorted(map(tuple, result.rectangles.tolist())) == [
        (100, 100, 150, 150),
        (100, 150, 150, 200),
        (150, 150, 200, 200),
    ]
    assert result.blank.tolist() == [[150, 100, 200, 150]]


def test_border_texels_reach_past_a_floor_sized_level():
    octree = Octree.from_shapes([(7, 7), (3, 3)], 4)
    intersection = intersect(octree, View.of_box((0, 0), (7, 7)))
    result = cover(octree, intersection, by_level(keys(1, [(0, 0)])))
    assert result.blank.size == 0
    assert result.texels[:, 2].max() == 3.5


@pytest.mark.parametrize("name", ["rectangles", "texels", "relative_levels", "blank"])
def test_results_cannot_be_changed(name):
    octree = square(1024, 2)
    result = cover(octree, intersect(octree, View.of_box((0, 0), (9, 9))), {})
    assert not getattr(result, name).flags.writeable
