"""Versions of OME-Zarr, and where in the attributes each keeps its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import as_text, shown

NEWEST_KNOWN = (0, 6)
KEYS = frozenset(
    {"multiscales", "plate", "well", "labels", "image-label", "bioformats2raw.layout", "scene"}
)
"""Of the attributes that say what a group is."""


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that OME-Zarr defines: since 0.5 they are below "ome"."""
    ome = attributes.get("ome")
    if not isinstance(ome, Mapping):
        return attributes
    if KEYS.isdisjoint(ome) and not KEYS.isdisjoint(attributes):
        return attributes  # as of files whose version was raised, and nothing else
    return ome


def parsed_version(version: str) -> tuple[int, int] | None:
    """(0, 4) of "0.4", "0.4.1" or "0.4-dev"; None of what is no version."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    return (int(match[1]), int(match[2])) if match else None


def find_version(attributes: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> str:
    """The version of an image: its own, else that of its group; "" where the file does not say.

    Parameters
    ----------
    attributes : mapping
        All attributes of the group.
    entry : mapping
        One entry of its multiscales.
    where : str
        Path or address, for messages.

    Raises
    ------
    SourceError
        It is newer than what is known here, and looks it.
    """
    stated, below_ome = _stated(attributes, entry)
    version = as_text(stated) or ""
    known = parsed_version(version)
    if known is not None and not isinstance(stated, str):
        warn(f"{where}: its version is the number {version}, not a text")
    if known is None and (stated not in (None, "") or below_ome):
        said = f"the version {shown(stated)}" if stated not in (None, "") else "no version"
        warn(f"{where}: has {said}; it is read by what its attributes look like")
    elif known is not None and known > NEWEST_KNOWN:
        refuse_newer(attributes, entry, where)
        warn(f"{where}: {_newer(version)}, and it is read as such")
    elif known == (0, 3) and _has_axis_objects(entry):
        warn(f"{where}: has the version {version!r}, but axes as 0.4 has them")
    elif known is not None and known < (0, 1):
        warn(f"{where}: has the version {version!r}, which never was; it is read as the nearest")
    return version


def writes_objects(version: str) -> bool:
    """Whether this is a version of 0.6 that names coordinate systems by objects, not by texts."""
    return re.fullmatch(r"0\.6(rc\d+)?(\.\d+)?", version) is not None


def _has_axis_objects(entry: Mapping[str, Any]) -> bool:
    axes = entry.get("axes")
    return isinstance(axes, list | tuple) and any(isinstance(axis, Mapping) for axis in axes)


def refuse_newer(attributes: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """Refuse an image of a newer version, unless it looks like those that are known.

    Raises
    ------
    SourceError
    """
    version = as_text(_stated(attributes, entry)[0]) or ""
    known = parsed_version(version)
    if known is None or known <= NEWEST_KNOWN:
        return
    if "axes" not in entry and "coordinateSystems" not in entry:
        raise SourceError(f"{where}: {_newer(version)}")


def _stated(attributes: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[Any, bool]:
    """What is said of the version, and whether the attributes are below "ome"."""
    ome = ome_attributes(attributes)
    stated = entry.get("version")
    return (ome.get("version") if stated in (None, "") else stated), ome is not attributes


def _newer(version: str) -> str:
    newest = ".".join(map(str, NEWEST_KNOWN))
    return f"is OME-Zarr {version}; the newest version known here is {newest}"
