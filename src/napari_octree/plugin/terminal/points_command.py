"""``napari-octree build POINTS DST``: index points and write them as zarr.

Invariants: those of the command for images; nothing of napari or Qt is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from napari_octree.plugin.terminal.shared import BAD_INPUT, fail
from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.blocks_of import FILES
from napari_octree.writing.errors import WritingError

INTERRUPTED = 130

EPILOG = """\
A build that was interrupted goes on with the same command.

examples:
  napari-octree build localisations.csv localisations.points.zarr --axes y x
  napari-octree build transcripts.parquet transcripts.points.zarr --axes z y x --features gene
"""


def names_points(arguments: Sequence[str]) -> bool:
    """Whether the first path of a command is a table of points, by its name."""
    for argument in arguments:
        if not argument.startswith("-"):
            path = Path(argument).expanduser()
            if path.suffix.lower() in FILES:
                return True
            return path.is_dir() and any(path.glob("*.parquet"))
    return False


def build_points_main(arguments: Sequence[str]) -> int:
    """Run the command; return the exit status."""
    from tqdm import tqdm

    from napari_octree.writing.points.build import PointsOptions, build_points

    options = _parser().parse_args(arguments)
    bar = tqdm(desc=Path(options.source).name, unit=" tasks", disable=None, file=sys.stderr)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    planes = None if options.planes is None else tuple(options.planes)
    try:
        build_points(
            options.source,
            options.target,
            PointsOptions(planes, bucket=options.bucket, overwrite=options.overwrite),
            features=options.features,
            axes=options.axes,
            workers=options.workers,
            progress=show,
        )
    except KeyboardInterrupt:
        print("napari-octree: interrupted; run the same command to go on", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except (SourceError, WritingError, OSError) as error:
        return fail(str(error), BAD_INPUT)
    finally:
        bar.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-octree build",
        description="Index points, however many, so that they can be browsed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="POINTS",
        help="a parquet, CSV, LAS or LAZ file, or a folder",
    )
    parser.add_argument("target", metavar="DST", help="a folder that is not there yet")
    parser.add_argument(
        "--axes", nargs="+", metavar="COLUMN", help="positions, as in z y x (default: t z y x)"
    )
    parser.add_argument(
        "--features", nargs="*", metavar="COLUMN", help="other columns (default: all)"
    )
    parser.add_argument(
        "--planes",
        nargs="*",
        type=int,
        metavar="AXIS",
        help="axes whose planes are indexed one by one, by number (default: times and the like)",
    )
    parser.add_argument(
        "--bucket", type=int, default=2_000_000, help="points that a worker holds at most"
    )
    parser.add_argument("--workers", type=int, default=2, help="threads (default: 2)")
    parser.add_argument("--overwrite", action="store_true", help="delete what is there")
    return parser
