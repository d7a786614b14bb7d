"""``napari-octree build``: write an image and its coarser levels as OME-Zarr.

Invariants: nothing of napari or Qt is imported; messages go to stderr, the exit status says what
kind of problem it was; Ctrl-C leaves what is written, and the same command goes on later.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from napari_octree.sources.errors import SourceError
from napari_octree.writing.build import METHODS, BuildOptions, build_pyramid
from napari_octree.writing.errors import WritingError
from napari_octree.writing.from_files import images_in_file
from napari_octree.writing.image_to_write import ImageToWrite
from napari_octree.writing.ome_attributes import VERSIONS
from napari_octree.writing.pyramid_plan import parse_factors
from napari_octree.writing.verify import verify_pyramid

BAD_INPUT = 1
INTERRUPTED = 130  # what shells say of Ctrl-C

EPILOG = """\
A build that was interrupted goes on with the same command; finished shards are not written again.

examples:
  napari-octree build slide.svs slide.ome.zarr
  napari-octree build labels.tif labels.ome.zarr --labels
  napari-octree build https://host/image.zarr copy.ome.zarr --scheduler tcp://head:8786
  napari-octree build spots.parquet spots.points.zarr       (points: see … build POINTS --help)
"""


def build_main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    with warnings.catch_warnings():  # as lines, without the place in our code
        return _build(arguments)


def _build(arguments: Sequence[str]) -> int:
    from napari_octree.plugin.terminal.points_command import build_points_main, names_points

    if names_points(arguments):
        return build_points_main(arguments)
    options = _parser().parse_args(arguments)
    build = BuildOptions(
        version=options.version,
        method=options.method,
        chunk=options.chunk,
        shard=options.shard,
        sharded=not options.no_shards,
        factors=options.factors,
        overwrite=options.overwrite,
        label=options.labels,
    )
    warnings.showwarning = lambda message, *_: print(f"napari-octree: {message}", file=sys.stderr)  # noqa: T201
    try:
        image = chosen_image(options.source, options.image)
        with _ProgressBar(image.name) as bar:
            build_pyramid(
                image,
                str(Path(options.target).expanduser()),
                build,
                workers=options.workers,
                scheduler=options.scheduler,
                progress=bar.show,
            )
        if not options.no_verify:
            verify_pyramid(image, str(Path(options.target).expanduser()))
    except KeyboardInterrupt:
        print("napari-octree: interrupted; run the same command to go on", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except (SourceError, WritingError, OSError) as error:
        return _fail(str(error))
    return 0


def chosen_image(source: str, number: int | None) -> ImageToWrite:
    """Return the image of that number in a file; the only one for None.

    Raises
    ------
    WritingError
        There are several, or there is no such one.
    SourceError, OSError
    """
    images = images_in_file(source)
    names = "\n".join(f"  {i}: {image.name}" for i, image in enumerate(images))
    if number is None and len(images) > 1:
        raise WritingError(f"{source} holds several images; choose one: --image N\n{names}")
    if not 0 <= (number or 0) < len(images):
        raise WritingError(f"{source}: there is no image {number}, but\n{names}")
    return images[number or 0]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-octree build",
        description="Write an image and its coarser levels as OME-Zarr, out of core.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="what napari-octree opens: zarr, URL, TIFF")
    parser.add_argument("target", metavar="DST.zarr", help="a folder that is not there yet")
    parser.add_argument("--image", type=int, metavar="N", help="which one, where SRC has several")
    parser.add_argument(
        "--version", choices=VERSIONS, default="0.5", help="of OME-Zarr (default: 0.5)"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="auto",
        help="how a coarser pixel is made (default: mean for images, mode for labels)",
    )
    parser.add_argument(
        "--labels", action="store_true", help="it is a label image, whatever SRC says of it"
    )
    parser.add_argument("--chunk", type=int, metavar="PIXELS", help="side of a chunk")
    parser.add_argument("--shard", type=int, metavar="PIXELS", help="side of a shard")
    parser.add_argument("--no-shards", action="store_true", help="one file for each chunk")
    parser.add_argument(
        "--factors",
        type=_factors,
        metavar="F,F,…;F,F,…",
        help="level by level: pixels of the level below per pixel, one number per axis",
    )
    parser.add_argument("--workers", type=_positive, default=2, help="threads (default: 2)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="let the workers of a dask scheduler do the work"
    )
    parser.add_argument("--overwrite", action="store_true", help="delete the zarr that is there")
    parser.add_argument("--no-verify", action="store_true", help="do not check the result")
    return parser


def _factors(value: str) -> list[list[int]]:
    try:
        return parse_factors(value)
    except WritingError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(value: str) -> int:
    number = int(value) if value.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of threads")
    return number


class _ProgressBar:
    """A bar on the terminal; silent where there is none."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(desc=name, unit=" shards", disable=None, file=sys.stderr)

    def __enter__(self) -> _ProgressBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def show(self, done: int, total: int) -> None:
        if self._bar.total != total:
            self._bar.reset(total)
        self._bar.update(done - self._bar.n)


def _fail(message: str) -> int:
    print(f"napari-octree: {message}", file=sys.stderr)  # noqa: T201
    return BAD_INPUT
