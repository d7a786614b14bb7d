"""Coordinate systems and transformations of a group, in all spellings of 0.6.

Invariants: pure functions of decoded JSON; flaws are warned of, nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from napari_octree.sources.ome_zarr.metadata.axes import (
    MOST_AXES,
    check_axes,
    default_axes,
    parse_axis,
    with_unique_names,
)
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Coordinates, Edge, Key, System
from napari_octree.sources.ome_zarr.metadata.values import (
    as_list,
    as_mapping,
    as_path,
    as_text,
    shown,
)
from napari_octree.sources.ome_zarr.metadata.versions import writes_objects

MOST_SYSTEMS = 100
MOST_EDGES = 10_000
INTRINSIC = "intrinsic"
"""The name of a system whose file gives it none."""


def parse_coordinates(
    entry: Mapping[str, Any], ndim: int, version: str, where: str
) -> Coordinates:
    """The coordinate systems of one entry of multiscales, whose arrays have `ndim` axes."""
    if writes_objects(version) and _names_by_text(entry):
        warn(f"{where}: names coordinate systems by texts, which {version} does by objects")
    systems = parse_systems(entry.get("coordinateSystems"), where)
    if not systems and as_list(entry.get("axes")):  # as 0.5 has it, met in 0.6.dev1
        systems = parse_systems([{"name": INTRINSIC, "axes": entry["axes"]}], where)
    intrinsic = _intrinsic(entry, systems, where)
    system = next((s for s in systems if s.name == intrinsic), None)
    if system is None or len(system.axes) != ndim:
        if system is not None:
            warn(
                f"{where}: the coordinate system {system.name!r} has {len(system.axes)} axes, "
                f"but the arrays have {ndim}"
            )
        else:
            warn(f"{where}: has no coordinate system for its arrays")
        intrinsic = intrinsic or INTRINSIC
        systems = [s for s in systems if s.name != intrinsic]
        systems.append(System(intrinsic, default_axes(ndim)))
    edges = parse_edges(entry.get("coordinateTransformations"), where, {s.name for s in systems})
    return Coordinates(tuple(systems), intrinsic, tuple(edges))


def parse_systems(value: Any, where: str) -> list[System]:
    """A list of coordinate systems; those without a usable name and axes are left out."""
    if value is not None and not isinstance(value, list | tuple):
        warn(f"{where}: cannot use the coordinate systems {shown(value)}")
    systems: list[System] = []
    for each in as_list(value)[:MOST_SYSTEMS]:
        system = as_mapping(each)
        name, axes = as_text(system.get("name")), as_list(system.get("axes"))
        if name is None or not axes or any(name == other.name for other in systems):
            warn(f"{where}: cannot use the coordinate system {shown(each)}")
            continue
        own = f"{where}: coordinate system {name!r}"
        parsed = [parse_axis(axis, n, own) for n, axis in enumerate(axes[:MOST_AXES])]
        check_axes(parsed, None, own)
        systems.append(System(name, with_unique_names(parsed)))
    return systems


def parse_edges(value: Any, where: str, names: set[str], in_scene: bool = False) -> Iterator[Edge]:
    """The transformations of an image or a scene that say from where to where."""
    if value is not None and not isinstance(value, list | tuple):
        warn(f"{where}: cannot use the transformations {shown(value)}")
    for number, each in enumerate(as_list(value)[:MOST_EDGES]):
        document = as_mapping(each)
        name = as_text(document.get("name")) or str(number)
        start = parse_key(document.get("input"), names, in_scene)
        end = parse_key(document.get("output"), names, in_scene)
        if start is None or end is None:
            warn(f"{where}: transformation {name!r} has no input or no output: {shown(each)}")
            continue
        yield Edge(start, end, document, f"{where}: transformation {name!r}")


def parse_key(value: Any, names: set[str], in_scene: bool) -> Key | None:
    """One end of a transformation: an object with name and path, or a string of older drafts."""
    if isinstance(value, str):
        text = as_text(value) or ""
        if in_scene and text not in names:
            before, slash, last = text.rpartition("/")
            if slash and as_path(before):
                return as_path(before) or "", last
            return (as_path(text) or "", "") if as_path(text) else None
        return ("", text) if text else None
    if not isinstance(value, Mapping):
        return None
    path, name = value.get("path"), as_text(value.get("name")) or ""
    if path in (None, "", "."):
        return ("", name) if name else None
    safe = as_path(path)
    return None if safe is None else (safe, name)


def _names_by_text(entry: Mapping[str, Any]) -> bool:
    datasets = [as_mapping(dataset) for dataset in as_list(entry.get("datasets"))]
    documents = [
        as_mapping(document)
        for owner in [entry, *datasets]
        for document in as_list(owner.get("coordinateTransformations"))
    ]
    return any(isinstance(d.get(key), str) for d in documents for key in ("input", "output"))


def _intrinsic(entry: Mapping[str, Any], systems: Sequence[System], where: str) -> str:
    """The system that the levels' transformations name as their output."""
    named: list[str] = []
    for dataset in as_list(entry.get("datasets")):
        for each in as_list(as_mapping(dataset).get("coordinateTransformations")):
            output = as_mapping(each).get("output")
            name = as_text(
                as_mapping(output).get("name") if not isinstance(output, str) else output
            )
            if name is not None:
                named.append(name)
    known = [name for name in named if any(name == system.name for system in systems)]
    if len(set(named)) > 1:
        warn(
            f"{where}: its levels lead to different coordinate systems: "
            f"{shown(sorted(set(named)))}"
        )
    if known:
        return known[0]
    if named and systems:
        warn(f"{where}: its levels lead to {shown(named[0])}, which is no coordinate system of it")
    return systems[0].name if systems else (named[0] if named else "")
