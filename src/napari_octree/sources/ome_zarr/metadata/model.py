"""What is known of an image before its arrays are opened: frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str, str]
"""A coordinate system: the path of its image ("" for the group itself), and its name."""


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    name : str
    type : str or None
        "space", "time", "channel", "array" or anything else that a file says.
    unit : str or None
    orientation : str or None
        The anatomical direction in which coordinates grow (RFC-4), as "left-to-right".
    """

    name: str
    type: str | None = None
    unit: str | None = None
    orientation: str | None = None


@dataclass(frozen=True)
class Dataset:
    """One level: the path of its array in the group, and where its pixels' centres lie.

    `scale` and `translation` have a number per axis, or are None where the file says nothing.
    """

    path: str
    scale: tuple[float, ...] | None = None
    translation: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Channel:
    """How a channel should look; None where the file says nothing.

    Attributes
    ----------
    label : str or None
    color : str or None
        "#rrggbb".
    window : tuple of float or None
        Contrast limits.
    window_range : tuple of float or None
        What the contrast limits may be set to.
    active : bool
    inverted : bool
    """

    label: str | None = None
    color: str | None = None
    window: tuple[float, float] | None = None
    window_range: tuple[float, float] | None = None
    active: bool = True
    inverted: bool = False


@dataclass(frozen=True)
class System:
    """A named coordinate system."""

    name: str
    axes: tuple[Axis, ...]


@dataclass(frozen=True)
class Edge:
    """A transformation between two coordinate systems, as the file has it.

    Attributes
    ----------
    input, output : Key
    document : mapping
        Points of the input become points of the output.
    where : str
        For messages: path of the file, and what it is in it.
    folder : str
        Path of the group, in the container, to which paths in the document refer.
    """

    input: Key
    output: Key
    document: Mapping[str, Any] = field(hash=False)
    where: str
    folder: str = ""


@dataclass(frozen=True)
class Coordinates:
    """What a multiscale image says of its coordinate systems.

    Attributes
    ----------
    systems : tuple of System
    intrinsic : str
        The system that its levels lead to.
    edges : tuple of Edge
        Between its systems, with keys of path "".
    """

    systems: tuple[System, ...] = ()
    intrinsic: str = ""
    edges: tuple[Edge, ...] = ()

    def system(self, name: str) -> System | None:
        """The system of that name."""
        return next((system for system in self.systems if system.name == name), None)


@dataclass(frozen=True)
class ImageMetadata:
    """One multiscale image.

    Attributes
    ----------
    version : str
        "" where the file does not say.
    name : str or None
    axes : tuple of Axis
    datasets : tuple of Dataset
        Finest first.
    channels : tuple of Channel
        May be fewer than the array has, or none.
    greyscale : bool
        The channels should be shown in grey.
    start : mapping
        The slice to be shown first, by axis: "z", "t".
    coordinates : Coordinates or None
        Coordinate systems (0.6); the axes are those of the intrinsic one.
    base : tuple of tuple of float, or None
        A matrix that is to be applied after the scales and translations of all levels, where
        they do not only scale and shift.
    """

    version: str
    name: str | None
    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    channels: tuple[Channel, ...] = ()
    greyscale: bool = False
    start: Mapping[str, int] = field(default_factory=dict, hash=False)
    coordinates: Coordinates | None = None
    base: tuple[tuple[float, ...], ...] | None = None

    @property
    def channel_axis(self) -> int | None:
        """The axis along which channels lie."""
        for number, axis in enumerate(self.axes):
            if axis.type == "channel":
                return number
        return None

    def channel(self, index: int) -> Channel:
        """How a channel should look; a plain one if the file does not tell of it."""
        return self.channels[index] if index < len(self.channels) else Channel()
