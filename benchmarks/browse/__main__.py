"""Run the sessions one after the other, print the figures, write them as JSON."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.browse.pyramid import write_pyramid
from benchmarks.browse.report import Run, bounds, ratios, tables
from benchmarks.processes import LAYERS, ROOT, print_bounds, run_session, write_report

STORES = ("300ms", "50ms", "disk", "ram")
SESSION_LIMIT_S = 600


def median_of(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One result with the median of each figure of several runs (the last one's statistics).

    A figure that is missing in some run (never settled) is missing.
    """
    phases = {
        phase: {
            name: None if None in values else median(values)
            for name in figures
            if (values := [result["phases"][phase][name] for result in results])
        }
        for phase, figures in results[-1]["phases"].items()
    }
    return results[-1] | {"phases": phases}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browse", description=__doc__)
    parser.add_argument("--stores", nargs="+", default=STORES, metavar="STORE")
    parser.add_argument("--layers", nargs="+", default=LAYERS, choices=(*LAYERS, "labels"))
    parser.add_argument("--size", type=int, default=16384, help="pixels per side, a power of two")
    parser.add_argument("--repeat", type=int, default=1, help="sessions each; medians are shown")
    parser.add_argument("--quick", action="store_true", help="4096 pixels, 50ms and ram only")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/browse.json")
    options = parser.parse_args()
    if options.quick:
        options.size, options.stores = 4096, ["50ms", "ram"]
    return options


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    run: Run = {}
    with tempfile.TemporaryDirectory(prefix="napari-octree-browse-") as scratch:
        folder = Path(scratch) / "pyramid"
        folder.mkdir()
        print(f"Writing {options.size}² pixels …", flush=True)
        write_pyramid(folder, options.size)
        for store in options.stores:
            run[store] = {}
            for layer in options.layers:
                print(f"{layer} on {store} …", flush=True)
                run[store][layer] = median_of(
                    [
                        run_session(
                            "benchmarks.browse.session",
                            (layer, store, folder),
                            Path(scratch),
                            SESSION_LIMIT_S,
                        )
                        for _ in range(options.repeat)
                    ]
                )
    print(*tables(run), *ratios(run), sep="\n")
    promised = list(bounds(run))
    if promised:
        print("\nPromised")
    print_bounds(promised)
    write_report(options.output, size=options.size, run=run)
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
