"""Run the sessions one after the other, print the figures, write them as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.browse.pyramid import write_pyramid
from benchmarks.browse.report import Run, bounds, ratios, tables

ROOT = Path(__file__).parents[2]
LAYERS = ("stock-sync", "stock-async", "ours")
STORES = ("300ms", "50ms", "disk", "ram")
SESSION_LIMIT_S = 600


def run_session(layer: str, store: str, folder: Path, scratch: Path) -> dict[str, Any]:
    """Run one session in a process of its own, with settings of its own.

    Raises
    ------
    RuntimeError
        The session failed; the message holds what it printed.
    """
    result = scratch / f"{layer}-{store}.json"
    environment = os.environ | {"NAPARI_CONFIG": str(scratch / f"{layer}-{store}.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.browse.session", layer, store, folder, result],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SESSION_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{layer} on {store} failed:\n{done.stdout}\n{done.stderr}")
    return json.loads(result.read_text(encoding="utf-8"))


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


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    packages = ("napari", "vispy", "zarr", "numpy")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browse", description=__doc__)
    parser.add_argument("--stores", nargs="+", default=STORES, metavar="STORE")
    parser.add_argument("--layers", nargs="+", default=LAYERS, choices=LAYERS)
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
                        run_session(layer, store, folder, Path(scratch))
                        for _ in range(options.repeat)
                    ]
                )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "size": options.size, "run": run}
    options.output.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(*tables(run), *ratios(run), sep="\n")
    promised = list(bounds(run))
    if promised:
        print("\nPromised")
    for name, measured, limit in promised:
        verdict = "kept" if measured <= limit else "BROKEN"
        print(f"{name:60}{measured:8.2f}  (at most {limit})  {verdict}")
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
