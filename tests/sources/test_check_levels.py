import numpy as np
import pytest

from napari_octree.sources import SourceError, as_level_sources


class Array:
    """Any shape and type; must not be read."""

    def __init__(self, shape, dtype="uint8", name=""):
        self.shape, self.dtype, self.name = shape, dtype, name

    def __getitem__(self, index):
        raise AssertionError("read")


@pytest.mark.parametrize(
    ("levels", "parts"),
    [
        ([], ["at least one level"]),
        ([Array((9, 9)), Array((4, 4), "uint16", "b")], ["level 1", "Array b", "uint16", "uint8"]),
        ([Array((4, 4)), Array((9, 9), name="b")], ["level 1", "Array b", "axis 0", "finest"]),
        ([Array((9, 4)), Array((4, 5))], ["level 1", "axis 1", "(9, 4)"]),
        ([Array((1, 9, 9)), Array((4, 4))], ["level 1", "2 axes", "has 3"]),
        ([Array((9, 0), name="a")], ["level 0", "Array a", "no pixels"]),
        ([Array((9, 9)), Array((0, 4))], ["level 1", "no pixels"]),
        ([Array((9,))], ["level 0", "at least two axes"]),
        ([Array((9, 9), "complex64")], ["level 0", "complex", "complex64", "magnitude"]),
        ([Array((9, 9), object)], ["level 0", "type object"]),
        ([Array((9, 9), "M8[s]")], ["level 0", "datetime64"]),
        ([Array((9, 9), "u1,f4")], ["level 0", "cannot be shown"]),
        ([Array((9, 10**9))], ["level 0", "axis 1", "1000000000", "10^9"]),
    ],
)
def test_errors_name_the_level_and_the_problem(levels, parts):
    with pytest.raises(SourceError) as error:
        as_level_sources(levels)
    for part in parts:
        assert part in str(error.value)


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", ">u2", "i4", "u8", "f2", "f4", "f8"])
def test_what_can_be_shown_is_accepted(dtype):
    levels = [Array((5, 9, 1), dtype), Array((5, 3, 1), dtype), Array((5, 1, 1), dtype)]
    assert [source.shape for source in as_level_sources(levels)] == [
        (5, 9, 1),
        (5, 3, 1),
        (5, 1, 1),
    ]
    assert as_level_sources([np.zeros((1, 1))])
