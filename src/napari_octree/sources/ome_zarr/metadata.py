"""What the attributes of an OME-Zarr group say about an image: versions 0.1 to 0.5.

Invariants: pure functions of decoded JSON, nothing is opened; what is missing or slightly wrong
is warned of (`OmeZarrWarning`) and replaced by what the specification or other readers take for
it; only an image that cannot be found at all is an error. Numbers are in the order of the
array's axes.

Source: https://ngff.openmicroscopy.org, the specifications 0.1 to 0.5.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_octree.sources.errors import SourceError

NEWEST_KNOWN = (0, 5)
DEFAULT_AXES = "tczyx"
"""All axes of an image, in the order that versions 0.1 and 0.2 prescribe."""
AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


class OmeZarrWarning(UserWarning):
    """A flaw of a file that can be shown nevertheless."""


@dataclass(frozen=True)
class Axis:
    """One axis of the arrays: its name, and "space", "time", "channel" or None with its unit."""

    name: str
    type: str | None = None
    unit: str | None = None


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
    """

    version: str
    name: str | None
    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    channels: tuple[Channel, ...] = ()
    greyscale: bool = False

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


def ome_attributes(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes that OME-Zarr defines: since 0.5 they are below "ome"."""
    ome = attributes.get("ome")
    return ome if isinstance(ome, Mapping) else attributes


def parse_images(
    attributes: Mapping[str, Any], ndim: int | None, where: str
) -> tuple[ImageMetadata, ...]:
    """Read the images of a group.

    Parameters
    ----------
    attributes : mapping
        All attributes of the group.
    ndim : int or None
        Axes of its arrays, if known: needed for files that do not name their axes.
    where : str
        Path or address of the group, for messages.

    Raises
    ------
    SourceError
        No image can be found in the attributes.
    """
    ome = ome_attributes(attributes)
    multiscales = _list(ome.get("multiscales"))
    if not multiscales:
        raise SourceError(f"{where}: a zarr group without multiscales, so no OME-Zarr image")
    omero = _mapping(ome.get("omero"))
    greyscale = _mapping(omero.get("rdefs")).get("model") in ("greyscale", "grayscale")
    channels = tuple(_parse_channel(value, where) for value in _list(omero.get("channels")))
    images = []
    for entry in multiscales:
        values = _list(_mapping(entry).get("datasets"))
        if not values:
            raise SourceError(f"{where}: its multiscales name no datasets")
        version = str(entry.get("version") or ome.get("version") or "")
        _warn_if_newer(version, entry, where)
        axes = _parse_axes(entry.get("axes"), ndim, where)
        # Transformations of the whole image come after those of the level.
        common = _list(entry.get("coordinateTransformations"))
        datasets = tuple(_parse_datasets(values, common, len(axes), version, where))
        name = entry.get("name") or omero.get("name")
        images.append(
            ImageMetadata(
                version, str(name) if name else None, axes, datasets, channels, greyscale
            )
        )
    return tuple(images)


def reconcile_scales(
    image: ImageMetadata, shapes: Sequence[Sequence[int]], where: str
) -> ImageMetadata:
    """Drop the levels' scales if they contradict the shapes of the arrays.

    A level must begin and end within one of its own pixels of where the first level does.
    """
    first = image.datasets[0].scale
    if first is None:
        return image
    for dataset, shape in zip(image.datasets, shapes, strict=True):
        if dataset.scale is None:
            continue
        for axis, n, n_first, s, s_first in zip(
            image.axes, shape, shapes[0], dataset.scale, first, strict=True
        ):
            if abs(n * s - n_first * s_first) > max(abs(s), abs(s_first)) * (1 + 1e-6):
                _warn(
                    f"{where}: the scale of level {dataset.path!r} along {axis.name} is {s:g}, "
                    f"which does not fit {n} pixels where level {image.datasets[0].path!r} has "
                    f"{n_first} of {s_first:g}; levels are aligned by their shapes"
                )
                head, *rest = image.datasets
                rest = [replace(d, scale=None, translation=None) for d in rest]
                return replace(image, datasets=(head, *rest))
    return image


def _parse_axes(value: Any, ndim: int | None, where: str) -> tuple[Axis, ...]:
    if not _list(value):
        n = len(DEFAULT_AXES) if ndim is None else ndim
        names = [f"axis {i}" for i in range(n - len(DEFAULT_AXES))] + list(DEFAULT_AXES[-n:])
        return tuple(Axis(name, AXIS_TYPES.get(name)) for name in names)
    axes = []
    for number, axis in enumerate(value):
        if isinstance(axis, Mapping):
            name = str(axis.get("name", f"axis {number}"))
            unit = axis.get("unit")
            kind = axis.get("type") or AXIS_TYPES.get(name.lower())
            axes.append(Axis(name, kind, str(unit) if unit else None))
        else:
            axes.append(Axis(str(axis), AXIS_TYPES.get(str(axis).lower())))
    if ndim is not None and len(axes) != ndim:
        _warn(f"{where}: names {len(axes)} axes, but its arrays have {ndim}")
        return _parse_axes(None, ndim, where)
    return tuple(axes)


def _parse_datasets(
    values: Sequence[Any], common: Sequence[Any], ndim: int, version: str, where: str
) -> Iterator[Dataset]:
    for value in values:
        path = value.get("path") if isinstance(value, Mapping) else None
        if not isinstance(path, str):
            raise SourceError(f"{where}: a dataset of its multiscales has no path: {value!r:.80}")
        own = _list(value.get("coordinateTransformations"))
        if not own and version in ("0.4", "0.5"):
            _warn(f"{where}: level {path!r} has no coordinateTransformations")
        yield Dataset(path, *_compose([*own, *common], ndim, f"{where}: level {path!r}"))


def _compose(
    transformations: Sequence[Any], ndim: int, where: str
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Apply scales and translations one after the other."""
    scale: list[float] | None = None
    shift: list[float] | None = None
    for transformation in transformations:
        kind = transformation.get("type") if isinstance(transformation, Mapping) else None
        if kind == "identity":
            continue
        numbers = (
            _numbers(transformation.get(kind), ndim) if kind in ("scale", "translation") else None
        )
        if numbers is None or (kind == "scale" and 0 in numbers):
            _warn(f"{where}: cannot use the transformation {transformation!r:.80}")
        elif kind == "scale":
            scale = [a * b for a, b in zip(scale or [1.0] * ndim, numbers, strict=True)]
            shift = [a * b for a, b in zip(shift, numbers, strict=True)] if shift else None
        else:
            shift = [a + b for a, b in zip(shift or [0.0] * ndim, numbers, strict=True)]
    return (tuple(scale) if scale else None), (tuple(shift) if shift else None)


def _numbers(value: Any, count: int) -> list[float] | None:
    """`count` finite numbers, or None."""
    value = _list(value)
    if len(value) != count or not all(
        isinstance(n, int | float) and math.isfinite(n) for n in value
    ):
        return None
    return [float(n) for n in value]


def _parse_channel(value: Any, where: str) -> Channel:
    if not isinstance(value, Mapping):
        _warn(f"{where}: cannot use the channel {value!r:.80}")
        return Channel()
    label = value.get("label") or value.get("name")
    color = value.get("color")
    if color is not None:
        match = re.fullmatch(r"#?([0-9a-fA-F]{6})([0-9a-fA-F]{2})?", str(color))
        if match is None:
            _warn(f"{where}: cannot use the channel colour {color!r}")
        color = f"#{match[1].lower()}" if match else None
    window = _mapping(value.get("window"))
    return Channel(
        label=str(label) if label not in (None, "") else None,
        color=color,
        window=_interval(window.get("start"), window.get("end")),
        window_range=_interval(window.get("min"), window.get("max")),
        active=value.get("active") is not False,
        inverted=value.get("inverted") is True,
    )


def _interval(low: Any, high: Any) -> tuple[float, float] | None:
    numbers = _numbers([low, high], 2)
    return (numbers[0], numbers[1]) if numbers is not None and numbers[0] < numbers[1] else None


def _list(value: Any) -> Sequence[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object with keys, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _warn_if_newer(version: str, entry: Mapping[str, Any], where: str) -> None:
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match[1]), int(match[2])) <= NEWEST_KNOWN:
        return
    newest = ".".join(map(str, NEWEST_KNOWN))
    message = f"{where}: is OME-Zarr {version}; the newest version known here is {newest}"
    if "axes" not in entry:
        raise SourceError(message)
    _warn(f"{message}, and it is read as such")


def _warn(message: str) -> None:
    warnings.warn(message, OmeZarrWarning, stacklevel=2)
