"""The reader that napari asks for paths ending in .zarr.

Invariants: None is answered only for what is certainly not ours; what is ours and cannot be shown
raises an error that names the path and the problem, before anything is added to the viewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from napari.layers import Layer

from napari_octree.plugin.open_ome_zarr import open_layers
from napari_octree.plugin.preferences import preferred_config
from napari_octree.sources.ome_zarr.opening import is_url

ENDINGS = (".zarr", ".zarr.zip", ".ozx")
"""Whatever their case."""

ReadLayers = Callable[[str | Sequence[str]], list[Layer]]


def get_reader(path: str | Sequence[str]) -> ReadLayers | None:
    """Return the function that opens `path`, or None if it is not a zarr image's path.

    Parameters
    ----------
    path : str or sequence of str
        Several paths, to be read as one stack, are not ours.

    Raises
    ------
    ConfigError
        The configuration is wrong.
    """
    if not isinstance(path, str | Path) or not is_zarr_path(str(path)):
        return None
    return read_layers if preferred_config().octree.enabled else None


def is_zarr_path(path: str) -> bool:
    """Whether a path or URL is named like zarr, and is no ordinary file."""
    name = urlsplit(path).path if is_url(path) else path
    name = name.rstrip("/\\").lower()
    if not name.endswith(ENDINGS):
        return False
    return is_url(path) or name.endswith((".zip", ".ozx")) or not Path(path).is_file()


def read_layers(path: str | Sequence[str]) -> list[Layer]:
    """Open the layers of a path (metadata only).

    Raises
    ------
    SourceError
    """
    paths = [path] if isinstance(path, str | Path) else path
    config = preferred_config()
    return [layer for each in paths for layer in open_layers(each, config)]
