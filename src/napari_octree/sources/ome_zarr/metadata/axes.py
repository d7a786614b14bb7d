"""The axes of an image, as each version names them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Axis
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping, as_text, shown
from napari_octree.sources.ome_zarr.metadata.versions import parsed_version

DEFAULT_AXES = "tczyx"
"""All axes of an image, in the order that versions 0.1 and 0.2 prescribe."""
AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
MOST_AXES = 16
"""No more are read of a list; napari itself is of no use with that many sliders."""


def parse_axes(value: Any, ndim: int | None, version: str, where: str) -> tuple[Axis, ...]:
    """The axes of an image, one per axis of its arrays if their number is known."""
    values = as_list(value)
    known = parsed_version(version)
    if not values:
        if value is not None or (known is not None and (0, 3) <= known < (0, 6)):
            warn(f"{where}: names no axes; {DEFAULT_AXES!r} are taken, from the last")
        return default_axes(ndim)
    axes = [parse_axis(axis, number, where) for number, axis in enumerate(values[:MOST_AXES])]
    if ndim is not None and len(values) != ndim:
        warn(f"{where}: names {len(values)} axes, but its arrays have {ndim}")
        return default_axes(ndim)
    check_axes(axes, known, where)
    return with_unique_names(axes)


def default_axes(ndim: int | None) -> tuple[Axis, ...]:
    """The last of tczyx; more axes than that are numbered."""
    n = len(DEFAULT_AXES) if ndim is None else ndim
    names = [f"axis {i}" for i in range(n - len(DEFAULT_AXES))]
    names += list(DEFAULT_AXES[-n:]) if n else []
    return tuple(Axis(name, AXIS_TYPES.get(name)) for name in names)


def parse_axis(value: Any, number: int, where: str) -> Axis:
    """One axis: a name (0.3), or an object with name, type and unit."""
    if not isinstance(value, Mapping):
        name = as_text(value)
        if name is None:
            warn(f"{where}: cannot use the axis {shown(value)}")
        return Axis(name or f"axis {number}", AXIS_TYPES.get((name or "").lower()))
    name = as_text(value.get("name"))
    if name is None:
        warn(f"{where}: axis {number} has no name")
    kind = as_text(value.get("type")) if isinstance(value.get("type"), str) else None
    if kind is None and value.get("type") is not None:
        warn(f"{where}: the axis {name} has the type {shown(value.get('type'))}")
    kind = kind or AXIS_TYPES.get((name or "").lower())
    unit = value.get("unit")
    orientation = as_mapping(value.get("orientation")).get("value")
    return Axis(
        name or f"axis {number}",
        kind,
        as_text(unit) if isinstance(unit, str) else None,
        as_text(orientation) if isinstance(orientation, str) else None,
    )


def check_axes(axes: Sequence[Axis], known: tuple[int, int] | None, where: str) -> None:
    """Warn of what the specification forbids."""
    types = Counter(axis.type for axis in axes)
    names = Counter(axis.name for axis in axes)
    problems = []
    if twice := [name for name, count in names.items() if count > 1]:
        problems.append(f"two axes named {twice[0]!r}")
    if not 2 <= len(axes) <= 5:
        problems.append(f"{len(axes)} axes instead of 2 to 5")
    if types["array"] < 2 and not 2 <= types["space"] <= 3:
        problems.append(f"{types['space']} axes of space instead of 2 or 3")
    problems += [f"{types[t]} axes of {t}" for t in ("time", "channel") if types[t] > 1]
    ranks = [{"time": 0, "space": 2}.get(axis.type or "", 1) for axis in axes]
    if types["array"] == 0 and ranks != sorted(ranks):
        problems.append("axes in an order other than time, channel, space")
    elif known is not None and known <= (0, 3):
        order = [DEFAULT_AXES.find(axis.name) for axis in axes]
        if order != sorted(order) or -1 in order:
            problems.append(f"axes that are not some of {DEFAULT_AXES!r} in this order")
    if problems:
        warn(f"{where}: has {', '.join(problems)}")


def with_unique_names(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes; one that repeats a name or is a second channel axis is numbered or untyped."""
    kept: list[Axis] = []
    for number, axis in enumerate(axes):
        name = axis.name
        if name in [other.name for other in kept]:
            name = f"{name} {number}"
        kind = axis.type
        if kind == "channel" and any(other.type == "channel" for other in kept):
            kind = None
        kept.append(Axis(name, kind, axis.unit, axis.orientation))
    return tuple(kept)
