"""Pixel sizes, channels and names in a TIFF file's tags, as each kind of file writes them.

Invariants: pure; nothing here raises for what a file says: what cannot be understood is left out.
Lengths are in micrometres.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import tifffile

from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.tiff import slide_tags
from napari_octree.sources.tiff.facts import LOOKS, Facts, hexadecimal, length, number, text

logger = logging.getLogger("napari_octree.sources")

MICROMETRES = {
    "km": 1e9, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0,
    "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0, "nm": 1e-3, "pm": 1e-6,
    "å": 1e-4, "angstrom": 1e-4, "inch": 25400.0, "in": 25400.0, "pt": 25400 / 72,
}  # fmt: skip
"""Length of a unit, by the names that files give it."""

SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}

PRINTERS_RESOLUTIONS = (1, 72, 96, 100, 150, 200, 300, 600, 1200)
"""Dots per inch that programs write where they know nothing."""


X_RESOLUTION = 282


def facts_of(tiff: tifffile.TiffFile, series: int) -> Facts:
    """Return what a file says of one of its series (parsing thread only)."""
    page = tiff.series[series].keyframe
    readers: list[Callable[[], Facts]] = []
    if tiff.is_ome:
        readers.append(lambda: _ome(tiff, series))
    if tiff.is_svs:
        readers.append(lambda: slide_tags.aperio(page))
    if tiff.is_qpi:
        readers.append(lambda: slide_tags.akoya(tiff.series[series]))
    if tiff.is_ndpi:
        readers.append(lambda: slide_tags.hamamatsu(page))
    if tiff.is_philips:
        readers.append(lambda: slide_tags.philips(tiff))
    if tiff.is_scn:
        readers.append(lambda: slide_tags.leica(tiff, series))
    if tiff.is_bif:
        readers.append(lambda: slide_tags.ventana(tiff))
    if tiff.is_imagej:
        readers.append(lambda: _imagej(tiff, page))
    found = Facts()
    for read in readers:
        try:
            found = read()
            break
        except Exception:  # damaged or unusual metadata: the pixels are shown all the same
            logger.debug("metadata of series %s cannot be used", series, exc_info=True)
    if not {"x", "y"} <= found.sizes.keys():
        sizes = {**_resolution(page), **found.sizes}
        found = replace(found, sizes=sizes)
    return found


def _resolution(page: Any) -> dict[str, float]:
    """Size of a pixel by the tags XResolution and YResolution."""
    try:
        if X_RESOLUTION not in page.tags or int(page.resolutionunit) < 2:
            return {}  # tifffile gives a pixel per inch where the file says nothing
        columns, rows = page.get_resolution("MICROMETER")
        inches = page.get_resolution("INCH")
    except Exception:  # as above
        logger.debug("the resolution cannot be used", exc_info=True)
        return {}
    if not all(math.isfinite(value) and value > 0 for value in (columns, rows)):
        return {}
    if any(abs(inches[0] - common) < 1e-3 for common in PRINTERS_RESOLUTIONS):
        return {}
    return {"x": 1 / columns, "y": 1 / rows}


def _imagej(tiff: tifffile.TiffFile, page: Any) -> Facts:
    said = tiff.imagej_metadata or {}
    unit = MICROMETRES.get(str(said.get("unit", "")).replace("\\u00B5", "µ").lower())
    sizes: dict[str, float] = {}
    if unit is not None:
        columns, rows = page.resolution
        for letter, pixels in (("x", columns), ("y", rows)):
            if math.isfinite(pixels) and pixels > 0:
                sizes[letter] = unit / pixels
        depth = length(said.get("spacing"))
        if depth is not None:
            sizes["z"] = depth * unit
    interval = length(said.get("finterval"))
    if interval is not None:
        sizes["t"] = interval
    ranges = said.get("Ranges") or ()
    windows = list(zip(ranges[::2], ranges[1::2], strict=False))
    luts = said.get("LUTs") or ()
    count = max(len(windows), len(luts) if said.get("mode") in ("color", "composite") else 0)
    channels = []
    for index in range(count):
        color = None
        if index < len(luts) and count > 1:
            color = hexadecimal([int(v) for v in luts[index][:3, -1]])
        window = windows[index] if index < len(windows) else None
        if window is not None and not window[0] < window[1]:
            window = None
        channels.append(Channel(None, color, window))
    return Facts(sizes, tuple(channels))


def _ome(tiff: tifffile.TiffFile, series: int) -> Facts:
    root = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]
    images = _several(root["Image"])
    image = images[min(series, len(images) - 1)]
    pixels = image["Pixels"]
    plane = next(iter(_several(pixels.get("Plane", ()))), {})
    sizes: dict[str, float] = {}
    places: dict[str, float] = {}
    plain = set()
    for letter in "xyz":
        size = _measured(pixels, f"PhysicalSize{letter.upper()}", "µm")
        place = _measured(plane, f"Position{letter.upper()}", "reference frame")
        if size is None or size[0] <= 0:
            continue
        sizes[letter], is_plain = size
        if is_plain:
            plain.add(letter)
        if place is not None and place[1] == is_plain:
            places[letter] = place[0]
    interval = length(pixels.get("TimeIncrement"))
    if interval is not None:
        sizes["t"] = interval * SECONDS.get(str(pixels.get("TimeIncrementUnit", "s")), 1.0)
    begin = number(plane.get("DeltaT"))
    if begin:
        places["t"] = begin * SECONDS.get(str(plane.get("DeltaTUnit", "s")), 1.0)
    channels = tuple(
        Channel(text(channel.get("Name")), _ome_color(channel.get("Color")))
        for channel in _several(pixels.get("Channel", ()))
    )
    looks = _looks_of(root, image)
    channels = tuple(
        replace(channel, **looks.get(index, {})) for index, channel in enumerate(channels)
    )
    return Facts(sizes, channels, None, places, frozenset(plain))


def _measured(said: dict[str, Any], key: str, default: str) -> tuple[float, bool] | None:
    """A number in micrometres, or (True) in pixels; None for what is not understood."""
    value, unit = number(said.get(key)), str(said.get(f"{key}Unit", default)).lower()
    factor = 1.0 if unit == "pixel" else MICROMETRES.get(unit)
    return None if value is None or factor is None else (value * factor, unit == "pixel")


def _looks_of(root: dict[str, Any], image: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """How channels are shown, by their number: an annotation that napari-octree writes."""
    looks: dict[int, dict[str, Any]] = {}
    try:
        refs = {str(ref["ID"]) for ref in _several(image.get("AnnotationRef", ()))}
        annotations = _several(root["StructuredAnnotations"]["MapAnnotation"])
    except (KeyError, TypeError):
        return looks
    for annotation in annotations:
        if annotation.get("Namespace") != LOOKS or str(annotation.get("ID")) not in refs:
            continue
        pairs = _several(annotation.get("Value", {}).get("M", ()))
        for key, value in ((str(pair.get("K")), str(pair.get("value"))) for pair in pairs):
            index, _, what = key.partition(" ")
            ends = tuple(number(part) for part in value.split())
            if not index.isdecimal():
                continue
            own = looks.setdefault(int(index), {})
            if what in ("window", "window_range"):
                if len(ends) == 2 and None not in ends and ends[0] < ends[1]:  # type: ignore[operator]
                    own[what] = ends
            elif what in ("active", "inverted"):
                own[what] = value.lower() == "true"
    return looks


def _ome_color(value: Any) -> str | None:
    """Colour of OME's signed 32-bit RGBA."""
    try:
        bits = int(value) & 0xFFFFFFFF
    except (TypeError, ValueError):
        return None
    return hexadecimal([bits >> shift & 255 for shift in (24, 16, 8)])


def _several(value: Any) -> list[dict[str, Any]]:
    """One dictionary or several, as a list."""
    return [value] if isinstance(value, dict) else list(value)
