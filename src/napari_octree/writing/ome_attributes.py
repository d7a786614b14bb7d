"""The attributes of an OME-Zarr image, versions 0.4, 0.5 and 0.6.

Invariants: pure; JSON-ready. Scales and translations say exactly where the pixels of each level
of a plan lie. Source: https://ngff.openmicroscopy.org, the specifications 0.4 to 0.6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_octree.writing.image_to_write import AXIS_TYPES, ChannelToWrite, ImageToWrite
from napari_octree.writing.pyramid_plan import PlannedLevel, PyramidPlan

VERSIONS = ("0.4", "0.5", "0.6")

SYSTEM = "physical"
"""Name of the coordinate system of a written 0.6 image."""


def level_path(number: int) -> str:
    """Name of a level's array in the group."""
    return str(number)


def zarr_format(version: str) -> int:
    """Format of zarr that a version of OME-Zarr is written in."""
    return 2 if version == "0.4" else 3


def group_attributes(
    image: ImageToWrite, plan: PyramidPlan, version: str, method: str, label: bool = False
) -> dict[str, Any]:
    """Return the attributes of the image's group.

    Parameters
    ----------
    image : ImageToWrite
    plan : PyramidPlan
    version : {"0.4", "0.5", "0.6"}
    method : str
        How levels were made; written as the multiscale's type.
    label : bool
        It is a label image.
    """
    multiscale: dict[str, Any] = {"name": image.name, "type": method}
    axes = [_axis(letter, unit) for letter, unit in zip(image.axes, image.units, strict=True)]
    if version == "0.6":
        multiscale["coordinateSystems"] = [{"name": SYSTEM, "axes": axes}]
    else:
        multiscale["axes"] = axes
    multiscale["datasets"] = [
        _dataset(image, number, level, version) for number, level in enumerate(plan.levels)
    ]
    ome: dict[str, Any] = {"multiscales": [multiscale]}
    if label:
        ome["image-label"] = {"version": version} if version == "0.4" else {}
        ome["image-label"] |= image.label_facts
    elif "c" in image.axes or image.channels:
        ome["omero"] = _omero(image)
    if version == "0.4":
        multiscale["version"] = version
        return ome
    return {"ome": {"version": version, **ome}}


def _axis(letter: str, unit: str | None) -> dict[str, Any]:
    axis: dict[str, Any] = {"name": letter, "type": AXIS_TYPES[letter]}
    if unit is not None and letter != "c":
        axis["unit"] = unit
    return axis


def _dataset(
    image: ImageToWrite, number: int, level: PlannedLevel, version: str
) -> dict[str, Any]:
    scale = [s * f for s, f in zip(image.scale, level.total, strict=True)]
    translation = [
        t + s * (f - 1) / 2
        for t, s, f in zip(image.translation, image.scale, level.total, strict=True)
    ]
    steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(translation):
        steps.append({"type": "translation", "translation": translation})
    path = level_path(number)
    if version != "0.6":
        return {"path": path, "coordinateTransformations": steps}
    ends = {"input": {"path": path}, "output": {"name": SYSTEM}}
    whole = steps[0] if len(steps) == 1 else {"type": "sequence", "transformations": steps}
    return {"path": path, "coordinateTransformations": [{**whole, **ends}]}


def _omero(image: ImageToWrite) -> dict[str, Any]:
    count = image.shape[image.axes.index("c")] if "c" in image.axes else 1
    low, high = _range(image.dtype)
    defaults = default_colors(count)
    channels = []
    for index in range(count):
        known = image.channels[index] if index < len(image.channels) else None
        known = known or ChannelToWrite()
        ends = known.window_range or (low, high)
        start, end = known.window or ends
        channel = {
            "label": known.label or f"channel {index}",
            "color": known.color or defaults[index],
            "active": known.active,
            "window": {"min": ends[0], "max": ends[1], "start": start, "end": end},
        }
        if known.inverted:
            channel["inverted"] = True
        channels.append(channel)
    grey = count == 1 and channels[0]["color"] == "FFFFFF"
    model = "greyscale" if image.greyscale or grey else "color"
    return {"channels": channels, "rdefs": {"model": model}}


def default_colors(count: int) -> list[str]:
    """Colours, "RRGGBB", of channels of which none is known."""
    if count == 1:
        return ["FFFFFF"]
    if count == 2:
        return ["FF00FF", "00FF00"]
    cycle = ["FF0000", "00FF00", "0000FF", "00FFFF", "FF00FF", "FFFF00"]
    return [cycle[i % len(cycle)] for i in range(count)]


def _range(dtype: np.dtype) -> tuple[float, float]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return 0.0, 1.0
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)
