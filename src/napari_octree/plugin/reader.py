"""The reader that napari asks for zarr folders and addresses, slides and our samples.

Invariants: None is answered only for what is certainly not ours; what is ours and cannot be shown
raises an error that names the path and the problem, before anything is added to the viewer. While
a store is asked, the window stays alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.utils.notifications import show_error

from napari_octree.config import ConfigError
from napari_octree.layers.source import is_asked_by_window
from napari_octree.plugin.commands.plates import with_plate_names
from napari_octree.plugin.default_reader import offer_to_be_default
from napari_octree.plugin.opening.access import open_with_access
from napari_octree.plugin.opening.claimed_paths import is_slide_path, is_zarr_path
from napari_octree.plugin.opening.first_look import arrange_first_look
from napari_octree.plugin.opening.open_image import prepare_image
from napari_octree.plugin.opening.problem_first import problem_first
from napari_octree.plugin.opening.waiting import Cancelled
from napari_octree.plugin.preferences import preferred_config
from napari_octree.plugin.samples import FIRST_SAMPLE, read_sample, sample_data
from napari_octree.plugin.samples import SCHEME as SAMPLE_SCHEME
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.opening import holds_points
from napari_octree.sources.stores.address import as_path, shown

NO_LAYERS: list[Any] = [(None,)]
"""What napari takes for "all went well, but there is nothing to add"."""

ReadLayers = Callable[..., list[Any]]


def get_reader(path: str | Sequence[str] | None = None) -> ReadLayers | list[Any] | None:
    """Return the function that opens `path`, or None if it is not for this plugin.

    Parameters
    ----------
    path : str or sequence of str, optional
        Several paths, to be read as one stack, are not ours. Without a path this is the command
        of napari's first sample, and returns its layer data: napari lists every command in its
        palette, where a reader has no place, except the commands of samples.

    Raises
    ------
    ConfigError
        The configuration is wrong.
    """
    if path is None:
        return sample_data(FIRST_SAMPLE)
    if not isinstance(path, str | Path):
        return None
    text = as_path(str(path))
    if text.startswith(SAMPLE_SCHEME):
        return read_sample
    if not (is_zarr_path(text) or is_slide_path(text) or holds_points(text)):
        return None
    try:
        return read_layers if preferred_config().octree.enabled else None
    except ConfigError:
        if not is_asked_by_window():
            raise
        return read_layers  # which tells what is wrong


def read_layers(path: str | Sequence[str]) -> list[Any]:
    """Open the layers of a path (metadata only).

    In the main thread events are served while a slow store is asked; who cancels gets no layers.
    Who has dropped a path on the window, or chosen it in a dialog of napari's, gets one message
    where it cannot be shown, and no layers: an error would be told with all of its traceback.

    Raises
    ------
    SourceError, ConfigError
        In scripts: a path, or the configuration, is wrong.
    """
    paths = [path] if isinstance(path, str | Path) else path
    layers: list[Layer] = []
    where = ""
    try:
        config = preferred_config()
        for where in map(str, paths):
            make = open_with_access(where, partial(prepare_image, where, config))
            layers += with_plate_names(make())
        arrange_first_look(layers)
    except Cancelled:
        return NO_LAYERS
    except (SourceError, ConfigError) as error:
        if not is_asked_by_window():
            raise
        show_error(problem_first(str(error), shown(where)))
        return NO_LAYERS
    if any(is_zarr_path(str(each)) for each in paths):
        offer_to_be_default()
    return layers
