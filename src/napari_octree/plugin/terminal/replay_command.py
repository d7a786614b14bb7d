"""``napari-octree replay``: play a recorded trace on an image, and say what it cost.

Invariants: as of `plugin/command_line.py`: what can be wrong without a window is told before one
is opened.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_octree.config import ConfigError, OctreeConfig
from napari_octree.layers.viewing.trace import Trace
from napari_octree.plugin.terminal import shared
from napari_octree.sources.errors import SourceError

EPILOG = """\
A trace is recorded in the Octree dock (Traces of views). It says where somebody looked, when, and
with which looks; it does not say at what: that is given here.

examples:
  napari-octree replay trace.json image.ome.zarr
  napari-octree replay trace.json --demo mandelbrot --json figures.json
  xvfb-run -a napari-octree replay trace.json https://host/image.zarr --speed 2

exit status: as of napari-octree; 4 if the last view was not loaded in time
"""


def replay_main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        trace = Trace.load(options.trace)
        config = (
            OctreeConfig.from_file(options.config)
            if options.config is not None
            else OctreeConfig.from_environment()
        )
        problem = shared.display_problem()
        if problem is not None:
            return shared.fail(problem, shared.NO_DISPLAY)
        layers = shared.make_layers(options.path, options.demo, config)
    except (ConfigError, SourceError, ValueError) as error:
        return shared.fail(str(error), shared.BAD_INPUT)
    return _play(trace, layers, options)


def _play(trace: Trace, layers: Sequence[Any], options: argparse.Namespace) -> int:
    import napari

    from napari_octree.plugin.terminal.replay import replay
    from napari_octree.rendering.canvas.frame_clock import canvas_of

    viewer = napari.Viewer(ndisplay=trace.steps[0].view.ndisplay)
    for layer in layers:
        viewer.add_layer(layer)
    if trace.canvas is not None:
        canvas_of(layers[0]).native.setFixedSize(*trace.canvas)
    figures = replay(viewer, trace, options.speed, options.timeout)
    viewer.close()
    print(figures.as_text())  # noqa: T201
    if options.json is not None:
        text = json.dumps(figures.as_dict(), indent=1)
        try:
            options.json.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            message = f"{options.json}: cannot be written: {error.strerror or error}"
            return shared.fail(message, shared.BAD_INPUT)
    if not figures.settled:
        reason = f"{figures.failures} chunks cannot be read" if figures.failures else "time is up"
        return shared.fail(f"the last view is not complete: {reason}", shared.NOT_SETTLED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-octree replay",
        description="Play a recorded trace on an image, and say what it cost.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", metavar="TRACE", help="a file that the Octree dock has saved")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("path", nargs="?", metavar="PATH_OR_URL", help="the image")
    what.add_argument("--demo", choices=shared.DEMOS, help="a sample instead")
    parser.add_argument("--speed", type=_speed, default=1.0, help="2 plays it in half of the time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--timeout",
        type=shared.seconds,
        default=120.0,
        metavar="SECONDS",
        help="the longest wait for the last view (default: 120)",
    )
    parser.add_argument("--config", metavar="FILE.json", help="a configuration, as NAPARI_OCTREE")
    return parser


def _speed(value: str) -> float:
    try:
        speed = float(value)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{value!r} is not a speed: a number above 0")
    return speed
