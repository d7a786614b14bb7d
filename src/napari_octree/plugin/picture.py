"""What one sees as a PNG picture of any size: drawn tile by tile, each as napari draws it.

Invariants: main thread only, as all drawing; between two tiles camera and canvas are as they were;
what is held in memory is one row of tiles. The final name appears when all is written; a failure
or a cancel leaves nothing under it, and never touches what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.png import PngWriter
from napari_octree.writing.running import Progress

if TYPE_CHECKING:
    import napari

TILE = 2048
"""Rows and columns of a tile at most: what one draw can hold on any graphics card."""

MOST_BAND_BYTES = 64 * 2**20
"""A row of tiles is held in memory: wide pictures have lower tiles."""

LEAST_TILE = 128

MOST_WHOLE = 8192
"""Side of a picture that has to be drawn at once: in 3-D, or on a grid."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture to be written.

    Attributes
    ----------
    viewer : napari.Viewer
    path : Path
    shape : tuple of int
        Rows and columns.
    centre : tuple of float
        What lies in the middle: rows, columns, in world coordinates (2-D), as the camera has it.
    zoom : float
        Pixels of the picture per unit of the world.
    overwrite : bool
    """

    viewer: napari.Viewer
    path: Path
    shape: tuple[int, int]
    centre: tuple[float, float]
    zoom: float
    overwrite: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes before compression."""
        return self.shape[0] * self.shape[1] * 4

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile: all tiles are of one size, the last ones overlap."""
        rows, columns = self.shape
        if _drawn_at_once(self.viewer):
            return self.shape
        columns = min(columns, TILE)
        most = max(MOST_BAND_BYTES // (self.shape[1] * 4), LEAST_TILE)
        return min(rows, TILE, most), columns

    def steps(self) -> Iterator[tuple[int, int]]:
        """Draw and write it, a tile a step; yields the number of tiles done and of all.

        Whoever closes the iterator early has cancelled.

        Raises
        ------
        WritingError
        """
        self._check()
        (rows, columns), (height, width) = self.shape, self.tile
        tops, lefts = range(0, rows, height), range(0, columns, width)
        total = len(tops) * len(lefts)
        with PngWriter(self.path, columns, rows) as png:
            for band, top in enumerate(tops):
                first = min(top, rows - height)
                pixels = np.empty((height, columns, 4), np.uint8)
                for number, left in enumerate(lefts):
                    left = min(left, columns - width)
                    pixels[:, left : left + width] = self._draw(first, left, total == 1)
                    yield band * len(lefts) + number + 1, total
                png.write(pixels[top - first :])

    def write(
        self,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path:
        """Draw and write it at once, for scripts; returns the path.

        Raises
        ------
        WritingError, CancelledError
        """
        steps = self.steps()
        for done, total in steps:
            if progress is not None:
                progress(done, total)
            if cancelled is not None and cancelled():
                steps.close()  # type: ignore[attr-defined]
                raise CancelledError
        return self.path

    def _draw(self, top: int, left: int, alone: bool) -> np.ndarray:
        (rows, columns), (height, width) = self.shape, self.tile
        camera = self.viewer.scene.camera
        away = np.array([top + height / 2 - rows / 2, left + width / 2 - columns / 2]) / self.zoom
        away *= _directions(camera)
        y, x = np.array(self.centre) + away
        with _restored(self.viewer, alone):
            if not alone or (y, x) != tuple(camera.center[-2:]):
                camera.center = (camera.center[0], float(y), float(x))
            zoom = self.zoom / _pixel_ratio(self.viewer)
            if zoom != camera.zoom:
                camera.zoom = zoom
            pixels: np.ndarray = self.viewer.screenshot(
                size=(height, width), canvas_only=True, flash=False
            )
        if pixels.shape[:2] != (height, width):
            raise WritingError(
                f"{self.path}: the canvas cannot be made {width} × {height} pixels large"
            )
        return pixels

    def _check(self) -> None:
        folder = self.path.absolute().parent
        if not folder.is_dir():
            raise WritingError(f"{folder}: there is no such folder")
        if self.path.is_dir():
            raise WritingError(f"{self.path}: is a folder")
        if self.path.exists() and not self.overwrite:
            raise WritingError(f"{self.path}: there is something already")
        if _drawn_at_once(self.viewer) and max(self.shape) > MOST_WHOLE:
            raise WritingError(
                f"{self.path}: in 3-D and on a grid a picture is drawn in one piece, of at most "
                f"{MOST_WHOLE} pixels a side; {self.shape[1]} × {self.shape[0]} are too many"
            )


def picture_of(
    viewer: napari.Viewer,
    path: str | Path,
    *,
    scale: float = 1.0,
    box: Sequence[tuple[float, float]] | None = None,
    pixel: float | None = None,
    overwrite: bool = False,
) -> Picture:
    """Describe a picture of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
    path : path-like
        Ends in .png.
    scale : float
        Pixels of the picture per pixel of the screen; of no meaning with `pixel`.
    box : sequence of (float, float), optional
        World coordinates of the part that is drawn: from and to along the two axes that are
        shown. Default: what is in view. 2-D only.
    pixel : float, optional
        Length of a pixel of the picture in the world.
    overwrite : bool
        Replace what is there, once the new one is whole.

    Raises
    ------
    WritingError
        There is nothing to draw.
    """
    file = Path(path).expanduser()
    if file.suffix.lower() != ".png":
        raise WritingError(f"{file}: the name of a picture must end in .png")
    camera, ratio = viewer.scene.camera, _pixel_ratio(viewer)
    screen = float(camera.zoom) * ratio
    zoom = screen * scale if pixel is None else 1 / pixel
    if not (np.isfinite(zoom) and zoom > 0):
        raise WritingError(f"{file}: a scale of {scale} or pixels of {pixel} give no picture")
    if box is None:
        centre = (float(camera.center[-2]), float(camera.center[-1]))
        sides = [side * ratio * (zoom / screen) for side in viewer.canvas.size]
    elif viewer.dims.ndisplay == 3 or _has_grid(viewer):
        raise WritingError(f"{file}: in 3-D and on a grid only what is in view can be drawn")
    else:
        (top, bottom), (left, right) = box
        centre = ((top + bottom) / 2, (left + right) / 2)
        sides = [(bottom - top) * zoom, (right - left) * zoom]
    rows, columns = (max(int(side + 0.5), 1) for side in sides)
    return Picture(viewer, file, (rows, columns), centre, zoom, overwrite)


def export_png(
    viewer: napari.Viewer,
    path: str | Path,
    *,
    scale: float = 1.0,
    box: Sequence[tuple[float, float]] | None = None,
    pixel: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write what a viewer shows as a PNG picture, also one far larger than the screen.

    Parameters
    ----------
    viewer, path, scale, box, pixel, overwrite
        See `picture_of`.

    Returns
    -------
    Path

    Raises
    ------
    WritingError
    """
    return picture_of(viewer, path, scale=scale, box=box, pixel=pixel, overwrite=overwrite).write()


@contextmanager
def _restored(viewer: napari.Viewer, alone: bool) -> Iterator[None]:
    """Have camera and overlays as they were, afterwards.

    What napari draws at a place of the canvas (scale bar, text) would be in every tile, so it is
    in none where there are several.
    """
    camera = viewer.scene.camera
    center, zoom = camera.center, camera.zoom
    overlays = [] if alone else [o for o in _canvas_overlays(viewer) if o.visible]
    for overlay in overlays:
        overlay.visible = False
    try:
        yield
    finally:
        for overlay in overlays:
            overlay.visible = True
        camera.center, camera.zoom = center, zoom


def _canvas_overlays(viewer: Any) -> list[Any]:
    of_layers = [
        getattr(layer, name, None)
        for layer in viewer.layers
        for name in ("colorbar", "name_overlay")
    ]
    return [*viewer.canvas.overlays.values(), *(o for o in of_layers if o is not None)]


def _directions(camera: Any) -> np.ndarray:
    """1 where world coordinates grow downward and to the right, as pixels do; else -1."""
    vertical, horizontal = (str(o) for o in camera.orientation[-2:])
    return np.array([1.0 if "down" in vertical else -1.0, 1.0 if "right" in horizontal else -1.0])


def _pixel_ratio(viewer: napari.Viewer) -> float:
    """Pixels of a screenshot per pixel of the canvas (high DPI)."""
    from qtpy.QtWidgets import QApplication, QMainWindow

    for window in QApplication.topLevelWidgets():
        if isinstance(window, QMainWindow) and window.isVisible():
            return float(window.devicePixelRatioF())
    return 1.0


def _has_grid(viewer: napari.Viewer) -> bool:
    return bool(viewer.canvas.grid.enabled)


def _drawn_at_once(viewer: napari.Viewer) -> bool:
    return bool(viewer.dims.ndisplay == 3 or _has_grid(viewer))
