"""What must hold in every frame that is drawn, and in every read.

Invariants checked: in 2-D the quads of a frame and its blank places make up the tiles in view,
each place once, and nothing is blank once the coarsest level of the slice was there; in 3-D the
coarsest bricks stay; no chunk's file is opened in the main thread.
"""

from __future__ import annotations

import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.rendering.tiles.tile_frame import TileFrame
from napari_octree.rendering.volume.brick_frame import BrickFrame
from napari_octree.rendering.volume.brick_requests import roots_kept

METADATA = (".json", ".zarray", ".zattrs", ".zgroup")


def area(rectangles: np.ndarray) -> float:
    """Of all together."""
    return float(np.prod(rectangles[:, 2:] - rectangles[:, :2], axis=1).sum())


def overlapping(rectangles: np.ndarray) -> int:
    """How many pairs have a place in common."""
    count = 0
    for i, (top, left, bottom, right) in enumerate(rectangles[:-1]):
        rest = rectangles[i + 1 :]
        rows = np.minimum(rest[:, 2], bottom) > np.maximum(rest[:, 0], top)
        columns = np.minimum(rest[:, 3], right) > np.maximum(rest[:, 1], left)
        count += int((rows & columns).sum())
    return count


class FrameWatch:
    """Looks at every frame of the viewers that it follows.

    Parameters
    ----------
    found : list of str
        What was wrong is added.
    """

    def __init__(self, found: list[str]) -> None:
        self._found = found
        self._seen: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._overview: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self.frames = self.covers = 0

    def follow(self, viewer: Any) -> None:
        """Look at each of its frames from now on."""
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        at = weakref.ref(viewer)

        def drawn(_event: Any) -> None:
            if (here := at()) is not None:
                self._look(here, canvas)

        canvas.events.draw.connect(drawn, position="last")

    def forget(self) -> None:
        """What was shown may be given up now: a layer is hidden, another dimension shown."""
        self._overview.clear()

    def _look(self, viewer: Any, canvas: Any) -> None:
        self.frames += 1
        for layer in viewer.layers:
            if not layer.visible:
                continue
            for view in getattr(layer, "_views", ()):
                drawing = getattr(view, "drawing", None)
                if drawing is None or drawing.node.canvas is not canvas:
                    continue
                frame = getattr(drawing, "frame", None)  # points have none
                if isinstance(frame, TileFrame):
                    self._look_at_tiles(layer, frame)
                elif isinstance(frame, BrickFrame):
                    self._look_at_bricks(layer, frame)

    def _look_at_bricks(self, layer: Any, frame: BrickFrame) -> None:
        shown, selection = frame.shown, frame._selection
        if shown is None or selection is None or frame.stale:
            return
        top = shown.octree_slice.octree.coarsest.index
        here = {key for key in shown.keys if key.level == top}
        selected = {key for key in selection.ancestors if key.level == top}
        key, before = self._overview.get(frame, (None, set()))
        if key == shown.octree_slice.key:
            if lost := (before & selected) - here:
                self._found.append(f"{layer.name}: coarsest bricks are gone again: {lost}")
            atlas = frame._atlas
            assert atlas is not None
            roots = np.prod(shown.octree_slice.octree.coarsest.grid_shape, dtype=object)
            few = roots - 1 <= roots_kept(atlas.slots.capacity)
            here |= before if few else before & selected
        self._overview[frame] = (shown.octree_slice.key, here)

    def _look_at_tiles(self, layer: Any, frame: TileFrame) -> None:
        cover, planned = frame.picture.cover, frame._intersection
        if cover is None or planned is None or frame._slice is None:
            return
        if self._seen.get(frame) == (id(cover), len(cover.chunks)):
            return
        self._seen[frame] = (id(cover), len(cover.chunks))
        self.covers += 1
        parts = np.concatenate([cover.rectangles, cover.blank])
        ideal = planned.bounds
        if not np.isclose(area(parts), area(ideal), rtol=1e-9) or overlapping(parts):
            self._found.append(
                f"{layer.name}: {len(parts)} parts of {area(parts):.17g} for {len(ideal)} tiles "
                f"of {area(ideal):.17g}, {overlapping(parts)} overlap"
            )
        shown = frame.picture.stand_in or frame.picture.tiles
        coarsest = frame._slice.octree.levels[-1]
        here = 0 if shown is None else len(shown.levels.get(coarsest.index, ()))
        if here == np.prod(coarsest.grid_shape, dtype=object):
            self._overview[frame] = (frame._slice.key, set())
        if len(cover.blank) and self._overview.get(frame, (None,))[0] == frame._slice.key:
            self._found.append(
                f"{layer.name}: {len(cover.blank)} blank places, once the overview was there"
            )


def watch_files(folder: Path, found: list[str]) -> None:
    """Take down each chunk of a folder's stores that is opened in the main thread from now on.

    (For the rest of the process: Python's audit hooks stay.)
    """
    watched, main = str(folder), threading.main_thread().ident

    def opened(event: str, arguments: Any) -> None:
        if event == "open" and threading.get_ident() == main:
            path = str(arguments[0])
            inside = path.startswith(watched) and not path.endswith(
                (".json", ".zarray", ".zattrs")
            )
            if inside and {"c", "zarr2"} & set(Path(path).parts):
                found.append(f"{path} was read in the main thread")

    sys.addaudithook(opened)
