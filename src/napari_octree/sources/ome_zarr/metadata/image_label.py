"""What a label image says of its labels: "image-label" of the attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.values import (
    as_list,
    as_mapping,
    as_number,
    as_numbers,
    as_text,
    shown,
)

MOST_LABELS = 1_000_000
"""No more are read of a list."""
Color = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageLabel:
    """Colours and properties of labels.

    Attributes
    ----------
    colors : mapping of int to tuple of float
        Red, green, blue and alpha, from 0 to 1.
    properties : mapping of int to mapping
        What the file says of a label.
    """

    colors: Mapping[int, Color] = field(default_factory=dict, hash=False)
    properties: Mapping[int, Mapping[str, Any]] = field(default_factory=dict, hash=False)


def parse_image_label(value: Any, where: str) -> ImageLabel:
    """Read "image-label"; flaws are warned of once each kind."""
    if not isinstance(value, Mapping):
        if value is not None:
            warn(f"{where}: cannot use the image-label {shown(value)}")
        return ImageLabel()
    flaws: dict[str, str] = {}
    colors: dict[int, Color] = {}
    for each in _entries(value, "colors", flaws):
        label = _label_value(each, "colour", flaws)
        if label is None:
            continue
        if label in colors:
            flaws.setdefault("twice", f"the label {label} has more than one colour")
        elif (color := _color(as_mapping(each), flaws)) is not None:
            colors[label] = color
    properties: dict[int, Mapping[str, Any]] = {}
    for each in _entries(value, "properties", flaws):
        label = _label_value(each, "property", flaws)
        if label is None:
            continue
        if label in properties:
            flaws.setdefault("properties twice", f"the label {label} has properties twice")
        own = {as_text(key) or "": item for key, item in each.items() if key != "label-value"}
        properties.setdefault(label, own)
    for flaw in flaws.values():
        warn(f"{where}: {flaw}")
    return ImageLabel(colors, properties)


def _entries(value: Mapping[str, Any], key: str, flaws: dict[str, str]) -> list[Any]:
    entries = value.get(key)
    if key in value and not as_list(entries):
        flaws[key] = f"its {key} are {shown(entries)}"
    return list(as_list(entries)[:MOST_LABELS])


def _label_value(entry: Any, kind: str, flaws: dict[str, str]) -> int | None:
    number = as_number(as_mapping(entry).get("label-value"))
    if number is None or number != int(number) or abs(number) >= 2**63:
        flaws.setdefault(kind, f"a {kind} without a whole label-value: {shown(entry)}")
        return None
    return int(number)


def _color(entry: Mapping[str, Any], flaws: dict[str, str]) -> Color | None:
    value = entry.get("rgba")
    if value is None:
        return None
    numbers = as_numbers(value, 4) or as_numbers(value, 3)
    if numbers is None or min(numbers) < 0 or max(numbers) > 255 or len(as_list(value)) != 4:
        flaws.setdefault("rgba", f"cannot use the colour {shown(value)}")
    if numbers is None or min(numbers) < 0 or max(numbers) > 255:
        return None
    most = 255
    if max(numbers) <= 1 and any(isinstance(part, float) for part in as_list(value)):
        flaws.setdefault("rgba", f"has the colour {shown(value)}, read as parts of 1")
        most = 1
    red, green, blue, *alpha = (n / most for n in numbers)
    return red, green, blue, alpha[0] if alpha else 1.0
