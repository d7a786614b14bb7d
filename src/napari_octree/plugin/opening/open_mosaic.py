"""Many placed images as one layer: tiled scans, mosaics.

Invariants: no pixels are read here; the images are read in workers, when they come into view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_octree.config import OctreeConfig
from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.octree.transform import infer_level_transforms
from napari_octree.sources.mosaic.given_mosaic import given_mosaic


def open_mosaic(
    images: Sequence[tuple[Any, Sequence[float]]],
    config: OctreeConfig | None = None,
    *,
    scale: Sequence[float] | None = None,
    name: str = "mosaic",
    **keywords: Any,
) -> OctreeImage:
    """Make one layer of many placed images, to be added to a viewer with `viewer.add_layer`.

    Parameters
    ----------
    images : sequence of (levels, translation)
        Levels are arrays as `OctreeImage` takes them, finest first, or one array. The
        translation says where the centre of the first pixel lies, along the last axes; it is
        rounded to whole pixels. The first image sets type, levels and axes; where images
        overlap, the first one in the list is on top.
    config : OctreeConfig, optional
    scale : sequence of float, optional
        Size of a pixel, in the units of the translations, along the last axes; default 1.
    name : str
    **keywords
        Every keyword of `OctreeImage` but `translate`, which is added to the mosaic's own.

    Returns
    -------
    OctreeImage

    Raises
    ------
    SourceError
        A `ValueError` that names the image and the problem.

    Examples
    --------
    >>> layer = open_mosaic([(first, (0, 0)), (second, (0, 1800))], scale=(0.65, 0.65))
    """
    config = OctreeConfig.from_environment() if config is None else config
    levels, origin = given_mosaic(images, scale, name=name, reduction=config.octree.reduction)
    ndim = levels[0].ndim
    steps = [1.0] * (ndim - len(scale or ())) + [float(s) for s in scale or ()]
    shift = [float(t) for t in keywords.pop("translate", ())]
    shift = [0.0] * (ndim - len(shift)) + shift
    layer = OctreeImage(
        list(levels),
        config,
        level_transforms=infer_level_transforms([level.shape for level in levels]),
        name=name,
        scale=steps,
        translate=[a + b for a, b in zip(origin, shift, strict=True)],
        **keywords,
    )
    layer.metadata["mosaic"] = {"images": len(images), "unlike the first": levels[0].deviations}
    return layer
