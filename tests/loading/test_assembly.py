import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.loading.assembly import assemble, grow
from napari_octree.sources.chunk_grid import RegularGrid


@st.composite
def cases(draw):
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 12)) for _ in range(ndim))
    chunk = tuple(draw(st.integers(1, 6)) for _ in range(ndim))
    region = []
    for n in shape:
        start = draw(st.integers(0, n - 1))
        region.append((start, draw(st.integers(start + 1, n))))
    apron = tuple(draw(st.integers(0, 3)) for _ in range(ndim))
    return shape, chunk, tuple(region), apron


def reference(values, known, region, apron):
    """Pixel by pixel: the array's edge outside the array; the core's where unknown."""
    block = np.empty([b - a + 2 * n for (a, b), n in zip(region, apron, strict=True)])
    for place in np.ndindex(block.shape):
        pixel = [p + a - n for p, (a, _), n in zip(place, region, apron, strict=True)]
        inside = tuple(np.clip(pixel, 0, np.array(values.shape) - 1))
        core = tuple(np.clip(inside, [a for a, _ in region], [b - 1 for _, b in region]))
        block[place] = values[inside] if known[inside] else values[core]
    return block


@given(case=cases(), data=st.data())
def test_agrees_with_the_slow_way(case, data):
    shape, chunk, region, apron = case
    grid = RegularGrid(shape, chunk)
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    known = np.zeros(shape, bool)
    core = set(grid.indices(region))
    parts = []
    for index in grid.indices(grow(region, apron, shape)):
        if index in core or data.draw(st.booleans()):
            box = grid.region(index)
            place = tuple(slice(a, b) for a, b in box)
            if data.draw(st.integers(0, 4)) == 0:
                values[place] = -5  # the store holds nothing here
                parts.append((box, None))
            else:
                parts.append((box, values[place]))
            known[place] = True
    before = [None if pixels is None else pixels.copy() for _, pixels in parts]
    block = assemble(region, apron, shape, values.dtype, -5, parts)
    np.testing.assert_array_equal(block, reference(values, known, region, apron))
    for (_, pixels), was in zip(parts, before, strict=True):
        if pixels is not None:
            np.testing.assert_array_equal(pixels, was)


def test_one_chunk_without_apron_is_a_view():
    pixels = np.zeros((8, 8))
    block = assemble(
        ((2, 4), (0, 8)), (0, 0), (8, 8), pixels.dtype, 0, [(((0, 8), (0, 8)), pixels)]
    )
    assert np.shares_memory(block, pixels)


def test_pixels_of_another_type_are_converted():
    pixels = np.arange(64, dtype=np.int32).reshape(8, 8)
    box = ((0, 8), (0, 8))
    block = assemble(box, (1, 1), (8, 8), np.dtype(np.float32), 0, [(box, pixels)])
    np.testing.assert_array_equal(block[1:-1, 1:-1], pixels)
