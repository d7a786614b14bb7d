"""Levels of mapped files: how many pages they touch, and which pixels they are made of."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_octree.sources import as_level_source
from napari_octree.sources.derived.downsampled import DownsampledArray
from napari_octree.sources.derived.thinned import ThinnedArray, thinned_level

MOST_PAGES = 16
ROW = mmap.PAGESIZE // 4


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: Any) -> np.ndarray:
    """Each pixel holds the number of its page; a row of the last axis is one page."""
    path: Path = tmp_path_factory.mktemp("mapped") / "stack.raw"
    array = np.memmap(path, np.uint32, "w+", shape=(48, 64, ROW))
    array[:] = np.arange(48 * 64).reshape(48, 64, 1)
    array.flush()
    return np.memmap(path, np.uint32, "r", shape=array.shape)


CASES = [
    ((0, 1), (4, 4, 1), (8, 8, 1), 2),  # one page for each pixel
    ((0, 1), (3, 5, 1), (16, 12, 1), 4),  # that do not divide the array
    ((1, 2), (1, 4, 16), (1, 16, 64), 1),  # rows of pixels in few pages
    ((1, 2), (1, 2, 16), (1, 32, 64), 2),
    ((0, 2), (2, 1, 16), (24, 1, 64), 2),
    ((0, 1, 2), (4, 4, 64), (8, 8, 8), 2),
]


@pytest.mark.parametrize(("displayed", "factors", "tile", "share"), CASES)
def test_a_tile_touches_no_more_pages_than_it_may(
    mapped: np.ndarray, displayed: Any, factors: Any, tile: Any, share: int
) -> None:
    level = thinned_level(as_level_source(mapped), factors, displayed, tile, MOST_PAGES)
    assert (1 if level is None else max(level.shared)) == share
    whole = level or DownsampledArray(as_level_source(mapped), factors, "nearest")
    corner = tuple((0, min(t, n)) for t, n in zip(tile, whole.shape, strict=True))
    block = whole.read(corner)
    assert block is not None
    assert len(np.unique(block)) <= MOST_PAGES


@pytest.mark.parametrize("region", [((0, 9), (0, 13), (5, 6)), ((3, 8), (5, 12), (0, 1))])
def test_pixels_are_the_centres_of_what_they_stand_for(mapped: np.ndarray, region: Any) -> None:
    source = as_level_source(mapped)
    thinned = ThinnedArray(source, (5, 5, 1), (4, 4, 1))
    assert thinned.shape == (10, 13, ROW)
    block = thinned.read(region)
    for i, z in enumerate(range(*region[0])):
        for j, y in enumerate(range(*region[1])):
            page = mapped[min(z // 4 * 20 + 9, 47), min(y // 4 * 20 + 9, 63), region[2][0]]
            assert block[i, j, 0] == page


def test_what_is_in_memory_is_never_thinned() -> None:
    array = np.zeros((300, 300, 8192), np.uint8)[:, :, ::2]
    assert thinned_level(as_level_source(array), (2, 2, 1), (0, 1), (128, 128, 1), 1) is None
