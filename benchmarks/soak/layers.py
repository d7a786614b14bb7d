"""A random layer on a random store: images, labels and points, huge or small, slow or failing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from benchmarks.soak.arrays import COLOURED, TYPES, Faults, pyramid
from benchmarks.soak.invariants import CONFIG
from benchmarks.soak.stores import SHAPES, Stores

from napari_octree import OctreeImage, OctreeLabels, OctreePoints
from napari_octree.samples import points

LIMITS = (0, 127)


def some_layer(rng: np.random.Generator, stores: Stores | None, failing: Sequence[float]) -> Any:
    """Make one.

    Parameters
    ----------
    rng : numpy.random.Generator
    stores : Stores or None
        Those on disk; None: only what is computed or in memory.
    failing : sequence of float
        Shares of places that fail, one of which a computed store has.
    """
    draw = rng.random()
    if draw < 0.1:
        return _points(rng)
    if draw < 0.5 and stores is not None:
        return _stored(rng, stores)
    return _computed(rng, failing)


def _points(rng: np.random.Generator) -> OctreePoints:
    if rng.random() < 0.4:
        return OctreePoints(points(10**7), config=CONFIG, name="10^7 points")
    ndim = int(rng.integers(2, 4))
    places = rng.uniform(0, 1000, (20_000, ndim))
    return OctreePoints(places, config=CONFIG, size=3, name=f"points in {ndim}-D")


def _stored(rng: np.random.Generator, stores: Stores) -> Any:
    kind, axes = str(rng.choice(list(stores.kinds))), str(rng.choice(list(SHAPES)))
    data = stores.kinds[kind](axes)
    if isinstance(data, OctreeImage):
        data.config = CONFIG
        data.name, data.contrast_limits = f"{kind} {axes}", LIMITS
        data.colormap = "gray"
        data.metadata["axes"] = axes
        return data
    if rng.random() < 0.2:
        return _labels(data, axes, f"labels of {kind}")
    return OctreeImage(
        data,
        config=CONFIG,
        contrast_limits=LIMITS,
        name=f"{kind} {axes}",
        metadata={"axes": axes},
    )


def _labels(data: Any, axes: str, name: str) -> OctreeLabels:
    return OctreeLabels(data, config=CONFIG, name=name, opacity=1, metadata={"axes": axes})


def _computed(rng: np.random.Generator, failing: Sequence[float]) -> Any:
    faults = Faults(
        int(rng.integers(1000)),
        float(rng.choice([0.0, 0.0, 0.005])),
        float(rng.choice(failing)),
    )
    axes = str(rng.choice(["yx", "yx", "tyx", "zyx", "tzyx"]))
    if rng.random() < 0.2:
        name = str(rng.choice(["uint8", "int32", "uint64"]))
        return _labels(pyramid(axes, name, faults), axes, name)
    name = str(rng.choice(TYPES + (COLOURED if axes == "yx" else [])))
    colours = name.startswith("rgb")
    return OctreeImage(
        pyramid(axes, name, faults),
        config=CONFIG,
        contrast_limits=None if colours or name == "bool" else LIMITS,
        name=f"{name} {axes}",
        rgb=colours,
        metadata={"axes": axes},
    )
