"""How the channels of an image should look: "omero" of the attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.ome_zarr.metadata.values import (
    as_list,
    as_mapping,
    as_number,
    as_numbers,
    as_text,
    shown,
)

LARGEST = 1e38
"""GPUs calculate with floats of 32 bits."""
MOST_CHANNELS = 10_000
"""No more are read of a list."""
MOST_SLICES = 2**53


_HEXADECIMAL = re.compile(r"\s*(?:#|0x)?([0-9a-f]{6})([0-9a-f]{2})?\s*", re.IGNORECASE).fullmatch
_NAMES = {
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
    "cyan": "#00ffff",
    "magenta": "#ff00ff",
    "yellow": "#ffff00",
    "white": "#ffffff",
    "grey": "#ffffff",
    "gray": "#ffffff",
    "black": "#000000",
}
"""As colour maps of channels are called: the colour of the brightest pixel."""


@dataclass(frozen=True)
class Omero:
    """The name of an image, its channels, and how they should be shown.

    Attributes
    ----------
    name : str or None
    channels : tuple of Channel
    greyscale : bool
    start : mapping
        The slice to be shown first, by axis: "z", "t".
    """

    name: str | None = None
    channels: tuple[Channel, ...] = ()
    greyscale: bool = False
    start: Mapping[str, int] = field(default_factory=dict, hash=False)


def parse_omero(value: Any, where: str) -> Omero:
    """Read "omero"; flaws are warned of once each kind."""
    if value is not None and not isinstance(value, Mapping):
        warn(f"{where}: cannot use omero {shown(value)}")
    omero = as_mapping(value)
    entries = omero.get("channels")
    if entries is not None and not isinstance(entries, list | tuple):
        warn(f"{where}: cannot use the channels {shown(entries)}")
    flaws: dict[str, str] = {}
    channels = tuple(_parse_channel(each, flaws) for each in as_list(entries)[:MOST_CHANNELS])
    for flaw in flaws.values():
        warn(f"{where}: {flaw}")
    looks = as_mapping(omero.get("rdefs"))
    is_grey = (as_text(looks.get("model")) or "").lower() in ("greyscale", "grayscale")
    start = {axis: as_number(looks.get(f"default{axis.upper()}")) for axis in "tz"}
    slices = {axis: int(n) for axis, n in start.items() if n is not None and 0 <= n < MOST_SLICES}
    return Omero(as_text(omero.get("name")), channels, is_grey, slices)


def _parse_channel(value: Any, flaws: dict[str, str]) -> Channel:
    if not isinstance(value, Mapping):
        flaws.setdefault("channel", f"cannot use the channel {shown(value)}")
        return Channel()
    label = as_text(value.get("label"))
    if label is None:
        label = as_text(value.get("name"))
    color = value.get("color")
    parsed = None if color is None else parse_color(color)
    if color is not None and parsed is None:
        flaws.setdefault("colour", f"cannot use the channel colour {shown(color)}")
    if parsed is not None and not (isinstance(color, str) and _HEXADECIMAL(color)):
        flaws.setdefault("colour", f"has the channel colour {shown(color)}, read as {parsed}")
    window = value.get("window")
    if window is not None:
        _check_window(window, flaws)
    window = as_mapping(window)
    return Channel(
        label=label,
        color=parsed,
        window=_interval(window.get("start"), window.get("end")),
        window_range=_interval(window.get("min"), window.get("max")),
        active=value.get("active") not in (False, "false"),  # 0 is false
        inverted=value.get("inverted") is True,
    )


def parse_color(value: Any) -> str | None:
    """A colour as "#rrggbb".

    Hexadecimal text of 6 digits, or 8 with alpha, or half of them; a plain name; a whole number,
    0xRRGGBB or, where it is negative or larger, 0xRRGGBBAA as OME-XML has it; a list of numbers,
    bytes or up to 1.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        match = _HEXADECIMAL(text)
        short = re.fullmatch(r"#?([0-9a-f]{3})[0-9a-f]?", text)
        if match or short is None:
            return f"#{match[1]}" if match else _NAMES.get(text)
        return "#" + "".join(digit * 2 for digit in short[1])
    number = as_number(value)
    if number is not None and number == int(number) and -(2**31) <= number < 2**32:
        whole = int(number)
        rgb = whole if 0 <= whole <= 0xFFFFFF else (whole & 0xFFFFFFFF) >> 8
        return f"#{rgb:06x}"
    parts = as_list(value)
    numbers = as_numbers(parts, len(parts)) if len(parts) in (3, 4) else None
    if numbers is None or min(numbers) < 0 or max(numbers) > 255:
        return None
    unit = max(numbers) <= 1 and any(isinstance(part, float) for part in parts)
    red, green, blue = (round(n * 255 if unit else n) for n in numbers[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def _check_window(window: Any, flaws: dict[str, str]) -> None:
    values = as_mapping(window)
    missing = [key for key in ("min", "max", "start", "end") if as_number(values.get(key)) is None]
    if missing:
        flaws.setdefault(
            "window", f"a channel's window has no number {', '.join(missing)}: {shown(window)}"
        )
    elif _interval(values["start"], values["end"]) is None:
        flaws.setdefault("window", f"a channel's window ends where it starts: {shown(window)}")


def _interval(low: Any, high: Any) -> tuple[float, float] | None:
    numbers = as_numbers([low, high], 2)
    if numbers is None or not 0 < numbers[1] - numbers[0] < LARGEST:
        return None
    return numbers[0], numbers[1]
