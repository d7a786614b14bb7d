"""Checks a pyramid that was written: everything is there, and samples are what they should be.

Invariants: reads only; some shards of each level are computed again and compared.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import zarr

from napari_octree.sources.ome_zarr.plain import UNFINISHED
from napari_octree.writing.errors import WritingError
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.pyramid_plan import PlannedLevel, PyramidPlan
from napari_octree.writing.shard_task import ShardTask
from napari_octree.writing.target import Target, label_path

SAMPLES = 4
"""Shards of each level that are computed again."""


def verify_pyramid(image: ImageToWrite, path: str, samples: int = SAMPLES, seed: int = 0) -> None:
    """Compare what `build_pyramid` has written with the image, and with its labels.

    Raises
    ------
    WritingError
        A shard is missing, damaged, or not what the level below gives; the message names it.
    """
    group = zarr.open_group(path, mode="r")
    recipe = group.attrs.get(f"{UNFINISHED}-done")
    if not isinstance(recipe, dict):
        raise WritingError(f"{path}: is not finished")
    target = _target(path, recipe)
    method = str(recipe["method"])
    choose = random.Random(seed)
    for number in range(len(target.plan.levels)):
        array = target.array(number)
        regions = list(target.shards(number))
        for region in regions:
            if not target.is_written(number, region, array):
                raise WritingError(f"{path}: level {number} lacks the shard at {region}")
        for region in choose.sample(regions, min(samples, len(regions))):
            try:
                stored = np.asarray(array[tuple(slice(*side) for side in region)])
            except Exception as error:  # codecs raise what they like
                raise WritingError(
                    f"{path}: level {number} cannot be read at {region}: {error}"
                ) from error
            truth = ShardTask(image, target, number, region, method).pixels()
            if not np.array_equal(stored, truth, equal_nan=stored.dtype.kind == "f"):
                raise WritingError(f"{path}: level {number} is wrong at {region}")
    for label in image.labels:
        verify_pyramid(label, label_path(path, label.name), samples, seed)


def _target(path: str, recipe: dict[str, object]) -> Target:
    said = json.loads(json.dumps(recipe))
    shapes = [tuple(shape) for shape in said["levels"]]
    levels = []
    total = (1,) * len(shapes[0])
    for factors, shape in zip(said["factors"], shapes, strict=True):
        total = tuple(a * b for a, b in zip(total, factors, strict=True))
        levels.append(PlannedLevel(shape, tuple(factors), total))
    sharded = said["sharded"]
    plan = PyramidPlan(tuple(levels), tuple(said["chunk"]), tuple(said["shard"]))
    return Target(str(Path(path)), plan, said["dtype"], said["version"], sharded)
