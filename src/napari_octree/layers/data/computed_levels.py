"""The levels of a display that nobody stored, computed in workers from those that are given.

Invariants: pure, and nothing reads; what comes back begins with the given levels themselves, and
is made once for all slices of a display, so that they share chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari_octree.layers.data.image_pyramid import ImagePyramid
from napari_octree.octree.octree import Octree
from napari_octree.sources.derived.downsampled import DownsampledArray, can_be_strided
from napari_octree.sources.derived.sampled import SampledArray, sampled_level
from napari_octree.sources.derived.thinned import ThinnedArray, thinned_level
from napari_octree.sources.protocol import LevelSource, StorageArray


def whole_levels(
    pyramid: ImagePyramid, octree: Octree, displayed: Sequence[int], hint: tuple[int, ...]
) -> tuple[LevelSource, ...]:
    """Return a source per level of the octree, each made of all pixels of that below.

    Parameters
    ----------
    pyramid : ImagePyramid
    octree : Octree
        Over the displayed axes.
    displayed : sequence of int
        Data axes on the canvas.
    hint : tuple of int
        Chunk shape for sources that have none of their own, over all axes of the sources.
    """
    sources = list(pyramid.sources)
    for level in range(len(sources), len(octree.levels)):
        factors = _factors(pyramid, octree, displayed, level - 1, level)
        upper = pyramid.reduction == "nearest" and (level - len(pyramid.sources)) % 2 == 1
        computed = DownsampledArray(
            sources[-1], factors, pyramid.reduction, pyramid.blocks, hint, upper
        )
        sources.append(_whole(computed))
    return tuple(sources)


def quick_levels(
    pyramid: ImagePyramid,
    octree: Octree,
    displayed: Sequence[int],
    hint: tuple[int, ...],
    whole: Sequence[LevelSource],
) -> tuple[LevelSource, ...]:
    """Return the same, but with levels that are there soon however large the image is.

    A level that is computed from memory takes every n-th pixel of the last given one, as
    a slice of 16384² pixels would take seconds to average (or one for several, where each
    would cost a page of a file); others are those of `whole`, unless these would read too
    much: then they are made of a sample of the last given one.
    """
    given, last = len(pyramid.sources), pyramid.sources[-1]
    sources = list(pyramid.sources)
    for level in range(given, len(whole)):
        factors = _factors(pyramid, octree, displayed, given - 1, level)
        computed: StorageArray | None
        if can_be_strided(last.storage):
            computed = thinned_level(last, factors, displayed, hint) or DownsampledArray(
                last, factors, "nearest", pyramid.blocks, hint
            )
        else:
            computed = sampled_level(
                last, factors, displayed, hint, pyramid.blocks, pyramid.reduction
            )
        sources.append(whole[level] if computed is None else _whole(computed))
    return tuple(sources)


def is_sampled(source: LevelSource) -> bool:
    """Whether a level is made of a sample of the stored pixels, and not of all."""
    return isinstance(source.storage, SampledArray | ThinnedArray)


def _factors(
    pyramid: ImagePyramid, octree: Octree, displayed: Sequence[int], fine: int, coarse: int
) -> tuple[int, ...]:
    """Pixels of one level per pixel of another, over all axes of the sources."""
    factors = [1] * len(pyramid.sources[-1].shape)
    for axis, a, b in zip(
        displayed,
        octree.levels[fine].transform.factor,
        octree.levels[coarse].transform.factor,
        strict=True,
    ):
        factors[axis] = round(b / a)
    return tuple(factors)


def _whole(storage: StorageArray) -> LevelSource:
    return LevelSource(storage, (None,) * len(storage.shape))
