"""``napari-octree``: look at an image, or write a picture of it.

Invariants: what can be wrong without a window is told before one is opened; messages go to stderr,
the exit status says what kind of problem it was; no traceback for what a user did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from napari_octree.config import ConfigError, OctreeConfig
from napari_octree.plugin.terminal.shared import (
    BAD_INPUT,
    BAD_USAGE,
    DEMOS,
    NO_DISPLAY,
    NOT_SETTLED,
    display_problem,
    fail,
    make_layers,
    seconds,
)
from napari_octree.sources.errors import SourceError

if TYPE_CHECKING:
    from napari_octree.layers.base.octree_scalar_field import OctreeScalarField

PICTURE_WINDOW = (1500, 1000)
"""Width and height of the window of a picture; the canvas is what the docks leave."""

EPILOG = f"""\
exit status:
  0  all went well
  {BAD_INPUT}  the image or the configuration cannot be used
  {BAD_USAGE}  wrong arguments
  {NO_DISPLAY}  there is no display, or no Qt
  {NOT_SETTLED}  the picture was written, but not all was loaded: the time was up, or reads failed

examples:
  napari-octree image.ome.zarr
  napari-octree https://host/image.zarr --screenshot picture.png
  napari-octree --demo mandelbrot
  xvfb-run -a napari-octree --demo mandelbrot --screenshot picture.png
  napari-octree build slide.svs slide.ome.zarr      (see napari-octree build --help)
  napari-octree replay trace.json image.ome.zarr    (see napari-octree replay --help)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] in (["build"], ("build",)):
        from napari_octree.plugin.build_command import build_main

        return build_main(arguments[1:])
    if arguments[:1] in (["replay"], ("replay",)):
        from napari_octree.plugin.terminal.replay_command import replay_main

        return replay_main(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        config = (
            OctreeConfig.from_file(options.config)
            if options.config is not None
            else OctreeConfig.from_environment()
        )
        problem = display_problem()
        if problem is not None:
            return fail(problem, NO_DISPLAY)
        layers = make_layers(options.path, options.demo, config)
    except (ConfigError, SourceError) as error:
        return fail(str(error), BAD_INPUT)
    return _show(layers, options.ndisplay, options.screenshot, options.timeout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-octree",
        description="Browse an image that is far larger than memory, in napari.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "path",
        nargs="?",
        metavar="PATH_OR_URL",
        help="an OME-Zarr image, a zarr array, a TIFF file or a slide",
    )
    what.add_argument("--demo", choices=DEMOS, help="an image that is computed while you look")
    parser.add_argument(
        "--ndisplay", type=int, choices=(2, 3), default=2, help="dimensions shown (default: 2)"
    )
    parser.add_argument(
        "--screenshot",
        type=_picture_path,
        metavar="FILE.png",
        help="wait until all is loaded, write the picture of the canvas, and exit",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="the longest wait of --screenshot (default: 120)",
    )
    parser.add_argument("--config", metavar="FILE.json", help="a configuration, as NAPARI_OCTREE")
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('napari-octree')}"
    )
    return parser


def _picture_path(value: str) -> Path:
    path = Path(value).expanduser()
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{value}: the picture's name must end in .png")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{value}: its folder does not exist")
    return path


def _show(
    layers: list[OctreeScalarField], ndisplay: int, screenshot: Path | None, timeout: float
) -> int:
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(ndisplay=ndisplay)
    if screenshot is not None:  # whatever size the window had when it was last closed
        viewer.window.resize(*PICTURE_WINDOW)
        QApplication.processEvents()
    for layer in layers:
        viewer.add_layer(layer)
    viewer.reset_view()
    if screenshot is None:
        napari.run()
        return 0
    deadline = monotonic() + timeout
    waits = [layer.wait_until_settled(deadline - monotonic()) for layer in layers if layer.visible]
    viewer.screenshot(str(screenshot), canvas_only=True, flash=False)
    viewer.close()
    if not all(waits):
        failed = sum(layer.progress.failed for layer in layers)
        reason = f"{failed} chunks cannot be read" if failed else f"not loaded in {timeout:g} s"
        return fail(f"{screenshot} is not complete: {reason}", NOT_SETTLED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
