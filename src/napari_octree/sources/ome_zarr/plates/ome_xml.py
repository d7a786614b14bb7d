"""Where images lie by the OME-XML that bioformats2raw writes beside a plate or a collection.

Invariants: pure; a file that says nothing of use, or is broken, gives None. Positions are the
microscope's: which way its y counts no file says, so y is left as it is.

Source: https://docs.openmicroscopy.org/ome-model, WellSample, Plane and Pixels.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from xml.etree import ElementTree

FILE = "OME/METADATA.ome.xml"
LARGEST = 2**26
"""Bytes: a plate of 1536 wells has some 20 MB."""
METRES = {
    "m": 1.0, "cm": 1e-2, "mm": 1e-3, "µm": 1e-6, "μm": 1e-6, "um": 1e-6, "nm": 1e-9,
}  # fmt: skip
"""Units of length that microscopes use; "reference frame" is none."""


@dataclass
class _Image:
    """What is said of an image: pixel size, and where its first plane lies, in metres."""

    size: tuple[float | None, float | None] = (None, None)
    plane: tuple[float | None, float | None] = (None, None)


def field_positions(
    xml: bytes, series: Sequence[str], paths: Sequence[str]
) -> tuple[tuple[float, float], ...] | None:
    """Return where fields lie, in pixels (y, x).

    Parameters
    ----------
    xml : bytes
    series : sequence of str
        Paths of the images in the order of the file.
    paths : sequence of str
        Of the fields, in the plate.

    Returns
    -------
    tuple of (float, float) or None
        None unless each has a position and the size of a pixel is known.
    """
    found = stage_positions(xml, series, paths)
    known = [place for place in found if place is not None]
    return tuple(known) if len(known) == len(found) else None


def stage_positions(
    xml: bytes, series: Sequence[str | None], paths: Sequence[str]
) -> tuple[tuple[float, float] | None, ...]:
    """Return where images lie, in their own pixels (y, x); None for those that have no place.

    Parameters as those of `field_positions`.
    """
    nowhere = (None,) * len(paths)
    if len(xml) > LARGEST or b"<!DOCTYPE" in xml[:4096]:
        return nowhere
    try:
        images, samples = _read(xml)
    except (ElementTree.ParseError, ValueError, LookupError):
        return nowhere
    numbers = {path: number for number, path in enumerate(series)}
    order = list(images)
    found: list[tuple[float, float] | None] = []
    for path in paths:
        number = numbers.get(path)
        if number is None or number >= len(order):
            found.append(None)
            continue
        image = images[order[number]]
        place = samples.get(order[number], image.plane)
        if None in place:
            place = image.plane
        (y, x), (height, width) = place, image.size
        if (
            y is None
            or x is None
            or not height
            or not width
            or not (isfinite(y / height) and isfinite(x / width))
        ):
            found.append(None)
        else:
            found.append((y / height, x / width))
    return tuple(found)


def _read(
    xml: bytes,
) -> tuple[dict[str, _Image], dict[str, tuple[float | None, float | None]]]:
    images: dict[str, _Image] = {}
    samples: dict[str, tuple[float | None, float | None]] = {}
    current = _Image()
    for event, element in ElementTree.iterparse(io.BytesIO(xml), ("start", "end")):
        kind = element.tag.rpartition("}")[2]
        if event == "start":
            if kind == "Image":
                current = images[element.get("ID", f"{len(images)}")] = _Image()
            elif kind == "Pixels":
                current.size = _pair(element.attrib, "PhysicalSize", "µm")
            elif kind == "Plane" and None in current.plane:
                current.plane = _pair(element.attrib, "Position", "")
            continue
        if kind == "WellSample":
            for child in element:
                if child.tag.endswith("ImageRef"):
                    samples[child.get("ID", "")] = _pair(element.attrib, "Position", "")
        if kind in ("Image", "Well", "StructuredAnnotations"):
            element.clear()
    return images, samples


def _pair(
    attributes: Mapping[str, Any], name: str, default: str
) -> tuple[float | None, float | None]:
    """Return lengths along y and x in metres; None where nothing is said."""

    def length(axis: str) -> float | None:
        value = attributes.get(f"{name}{axis}")
        unit = METRES.get(attributes.get(f"{name}{axis}Unit", default))
        return None if value is None or unit is None else float(value) * unit

    return length("Y"), length("X")
