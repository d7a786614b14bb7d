"""Exit statuses, messages and checks that commands of the terminal have in common.

Invariants: nothing of napari or Qt is imported before it is needed; messages go to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from napari_octree.config import OctreeConfig

if TYPE_CHECKING:
    from napari_octree.layers.base.octree_scalar_field import OctreeScalarField

BAD_INPUT = 1
BAD_USAGE = 2  # argparse's own
NO_DISPLAY = 3
NOT_SETTLED = 4

DEMOS = (
    "mandelbrot",
    "julia",
    "mandelbulb",
    "checkerboard",
    "series",
    "plate",
    "labels",
    "points",
)


def seconds(value: str) -> float:
    """Read a finite number of seconds above 0, for argparse."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds")
    return number


def display_problem() -> str | None:
    """Why no window can be opened: Qt itself would end the process without a message."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    has_display = {"DISPLAY", "WAYLAND_DISPLAY"} & {k for k, v in os.environ.items() if v}
    if sys.platform.startswith("linux") and not has_display and not platform:
        return (
            "there is no display. On a machine without one, run\n"
            '  xvfb-run -a -s "-screen 0 1600x1200x24" napari-octree …'
        )
    try:
        import qtpy.QtWidgets  # noqa: F401
    except ImportError:
        return "Qt is not installed; try\n  pip install 'napari-octree[pyqt6]'"
    return None


def make_layers(
    path: str | None, demo: str | None, config: OctreeConfig
) -> list[OctreeScalarField]:
    """Make the layers of an image, or of a demo.

    Raises
    ------
    SourceError
    """
    # napari takes a second to import: not for --help or a wrong argument.
    if demo is not None:
        from napari_octree.plugin.samples import SAMPLES

        return [SAMPLES[demo](config)]
    from napari_octree.plugin.opening.open_image import open_image_layers

    return open_image_layers(str(path), config)


def fail(message: str, status: int) -> int:
    """Write a message to stderr; return the exit status."""
    print(f"napari-octree: {message}", file=sys.stderr)  # noqa: T201
    return status
