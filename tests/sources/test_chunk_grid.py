import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources.chunk_grid import IrregularGrid, RegularGrid, grid_from_chunks
from napari_octree.sources.protocol import ChunkGrid


@st.composite
def regular_grids(draw):
    ndim = draw(st.integers(1, 3))
    shape = draw(st.tuples(*[st.integers(1, 12)] * ndim))
    chunk_shape = draw(st.tuples(*[st.integers(1, 15)] * ndim))
    return RegularGrid(shape, chunk_shape), shape


@st.composite
def irregular_grids(draw):
    ndim = draw(st.integers(1, 3))
    sizes = draw(
        st.tuples(*[st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(sum)] * ndim)
    )
    return IrregularGrid.from_sizes(sizes), tuple(sum(axis) for axis in sizes)


grids = st.one_of(regular_grids(), irregular_grids())


def whole(shape):
    return tuple((0, n) for n in shape)


def box(region):
    return tuple(slice(start, stop) for start, stop in region)


@given(grids)
def test_regions_fill_the_array_without_overlap(grid_and_shape):
    grid, shape = grid_and_shape
    count = np.zeros(shape, int)
    for index in grid.indices(whole(shape)):
        count[box(grid.region(index))] += 1
    assert (count == 1).all()


@given(grids, st.data())
def test_indices_are_exactly_the_chunks_that_touch_the_region(grid_and_shape, data):
    grid, shape = grid_and_shape
    region = tuple(
        data.draw(st.tuples(st.integers(-3, n + 3), st.integers(-3, n + 3))) for n in shape
    )
    pixels = set(itertools.product(*(range(start, stop) for start, stop in region)))
    expected = [
        index
        for index in grid.indices(whole(shape))
        if any(
            pixel in pixels
            for pixel in itertools.product(*(range(*edges) for edges in grid.region(index)))
        )
    ]
    assert list(grid.indices(region)) == expected


@pytest.mark.parametrize("grid", [RegularGrid((5,), (2,)), IrregularGrid.from_sizes([(2, 2, 1)])])
def test_there_is_nothing_outside(grid):
    assert isinstance(grid, ChunkGrid)
    assert grid.region((2,)) == ((4, 5),)
    for index in [(3,), (-1,)]:
        with pytest.raises(IndexError, match="no chunk"):
            grid.region(index)


def test_an_astronomical_grid_costs_nothing():
    grid = RegularGrid((2**40, 2**40), (256, 256))
    assert list(grid.indices(((2**39, 2**39 + 1), (0, 257)))) == [(2**31, 0), (2**31, 1)]


@pytest.mark.parametrize(
    ("chunks", "grid"),
    [
        ((2, 3), RegularGrid((4, 5), (2, 3))),
        ([2, 3], RegularGrid((4, 5), (2, 3))),
        (((1, 3), (5,)), IrregularGrid(((0, 1, 4), (0, 5)))),
        (((3, 1), (2, 2, 1)), RegularGrid((4, 5), (3, 2))),
        (((1, 2), (5,)), None),
        (((), (5,)), None),
        ((2,), None),
        ((2, 0), None),
        ((2, None), None),
        (((1, None), (5,)), None),
        (None, None),
        ("auto", None),
        ("ab", None),
    ],
)
def test_what_arrays_say_about_their_chunks(chunks, grid):
    assert grid_from_chunks((4, 5), chunks) == grid


def test_wrong_grids_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        RegularGrid((4, 5), (2, 0))
    with pytest.raises(ValueError, match="not in order"):
        IrregularGrid(((0, 3, 2),))


@pytest.mark.parametrize("chunks", [((8, 8),), ((3, 8, 5),), (8,)])
def test_numbers_of_numpy_become_plain_ones(chunks):
    """They would be written otherwise into names and logs."""
    as_numpy = tuple(
        tuple(map(np.int64, axis)) if isinstance(axis, tuple) else np.int64(axis)
        for axis in chunks
    )
    grid = grid_from_chunks((16,), as_numpy)
    ((start, stop),) = grid.region((1,))
    assert {type(start), type(stop)} == {int}
