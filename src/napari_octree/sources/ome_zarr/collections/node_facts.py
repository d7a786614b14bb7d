"""What the attributes of a zarr group or array say it is, and what lies below it.

Invariants: pure functions of decoded JSON that never warn and never raise: whoever looks around in
a store is told what is there, and hears of flaws when something is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from napari_octree.sources.ome_zarr.collections.scene import scene_of
from napari_octree.sources.ome_zarr.metadata.values import (
    as_index,
    as_list,
    as_mapping,
    as_path,
    as_text,
)
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes

Kind = Literal[
    "image", "labels", "plate", "well", "collection", "scene", "group", "array", "folder",
    "nothing",
]  # fmt: skip

SHOWABLE: frozenset[Kind] = frozenset(
    {"image", "labels", "plate", "well", "collection", "scene", "array"}
)
"""What can be opened as layers."""

MOST_CHILDREN = 10_000
"""No more are listed below one node."""


def kind_of_group(attributes: Mapping[str, Any]) -> Kind:
    """What a group is, in the order in which `read_ome_zarr` decides it."""
    ome = ome_attributes(attributes)
    if "plate" in ome:
        return "plate"
    if "well" in ome:
        return "well"
    if "image-label" in ome:
        return "labels"
    if "multiscales" in ome:
        return "image"
    if "bioformats2raw.layout" in ome:
        return "collection"
    if scene_of(ome) is not None:
        return "scene"
    if as_list(ome.get("labels")):
        return "collection"
    return "group"


def named_children(attributes: Mapping[str, Any], kind: Kind) -> Iterator[tuple[str, Kind | None]]:
    """Paths that a group names, and what they are said to be (None: it is not said)."""
    ome = ome_attributes(attributes)
    if kind == "plate":
        for well in as_list(as_mapping(ome["plate"]).get("wells")):
            yield from _path(as_mapping(well).get("path"), "well")
    elif kind == "well":
        for field in as_list(as_mapping(ome["well"]).get("images")):
            yield from _path(as_mapping(field).get("path"), "image")
    elif kind in ("image", "labels"):
        for entry in as_list(ome.get("multiscales")):
            for level in as_list(as_mapping(entry).get("datasets")):
                yield from _path(as_mapping(level).get("path"), "array")
    elif kind == "scene":
        scene = scene_of(ome) or {}
        for step in as_list(scene.get("coordinateTransformations")):
            for end in ("input", "output"):
                yield from _path(as_mapping(as_mapping(step).get(end)).get("path"), "image")
    for name, said in (("labels", "labels"), ("series", "image")):
        for path in as_list(ome.get(name)):
            yield from _path(str(path) if as_index(path) is not None else path, said)  # type: ignore[arg-type]


def summary_of_group(attributes: Mapping[str, Any], kind: Kind) -> str:
    """One line about a group."""
    ome = ome_attributes(attributes)
    if kind == "plate":
        plate = as_mapping(ome["plate"])
        counts = [
            _count(len(as_list(plate.get(f"{name}s"))), name)
            for name in ("row", "column", "well", "acquisition")
            if as_list(plate.get(f"{name}s"))
        ]
        return ", ".join(counts)
    if kind == "well":
        return _count(len(as_list(as_mapping(ome["well"]).get("images"))), "field")
    if kind in ("image", "labels"):
        entries = [as_mapping(entry) for entry in as_list(ome.get("multiscales"))]
        first = entries[0] if entries else {}
        parts = [_count(len(as_list(first.get("datasets"))), "level")]
        if axes := axis_names(first):
            parts.insert(0, " ".join(axes))
        if channels := len(as_list(as_mapping(ome.get("omero")).get("channels"))):
            parts.append(_count(channels, "channel"))
        if len(entries) > 1:
            parts.append(f"{len(entries)} images")
        return ", ".join(parts)
    if as_list(ome.get("labels")):
        return _count(len(as_list(ome.get("labels"))), "label image")
    return ""


def axis_names(multiscale: Mapping[str, Any]) -> list[str]:
    """Names of the axes, as far as they are said (0.1 to 0.6)."""
    axes = as_list(multiscale.get("axes"))
    if not axes:
        systems = [as_mapping(s) for s in as_list(multiscale.get("coordinateSystems"))]
        axes = as_list(systems[0].get("axes")) if systems else []
    names = [as_text(as_mapping(a).get("name")) if isinstance(a, Mapping) else a for a in axes]
    return [name for name in names if isinstance(name, str)]


def summary_of_array(document: Mapping[str, Any]) -> str:
    """Shape, type and chunks of an array's metadata, of either format."""
    parts = []
    shape = _times(document.get("shape"))
    if shape:
        parts.append(shape)
    dtype = document.get("data_type", document.get("dtype"))
    if dtype is not None:
        parts.append(_type(dtype))
    grid = as_mapping(as_mapping(document.get("chunk_grid")).get("configuration"))
    chunk = _times(document.get("chunks", grid.get("chunk_shape")))
    if chunk:
        parts.append(f"chunks {chunk}")
    return ", ".join(parts)


def _type(said: Any) -> str:
    text = as_text(said) or as_text(as_mapping(said).get("name")) or "?"
    return text.lstrip("<>|=") if text[:1] in "<>|=" else text


def _times(numbers: Any) -> str:
    return " × ".join(f"{n}" for n in as_list(numbers) if as_index(n) is not None)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _path(value: Any, kind: Kind) -> Iterator[tuple[str, Kind | None]]:
    path = as_path(value)
    if path is not None:
        yield path, kind
