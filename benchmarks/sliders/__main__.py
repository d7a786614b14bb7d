"""Run the scenarios one after the other, print the figures, write them as JSON."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import LAYERS, ROOT, print_bounds, run_session, write_report
from benchmarks.sliders.session import CHUNKS_IN_VIEW, SCENARIOS

LIMIT_S = 400
COLUMNS = {
    "longest_gap_ms": "longest gap ms",
    "longest_work_ms": "of it own work",
    "open_ms": "open ms",
    "right_ms": "right plane ms",
    "chunks": "chunks",
    "moving_frames": "frames moving",
    "frames": "frames",
    "new_frames": "new pictures",
    "at_once": "right at once",
}

Run = dict[str, dict[str, dict[str, Any]]]
"""Per scenario, per layer: what a session wrote."""


def table(run: Run) -> Iterator[str]:
    """A row per scenario and layer."""
    yield f"{'scenario':22}{'layer':12}" + "".join(f"{c:>16}" for c in COLUMNS.values())
    for scenario, layers in run.items():
        for layer, figures in layers.items():
            cells = (figures.get(name) for name in COLUMNS)
            yield f"{scenario:22}{layer:12}" + "".join(
                f"{'–' if c is None else format(c, '.0f'):>16}" for c in cells
            )


def bounds(run: Run) -> Iterator[tuple[str, float, float]]:
    """What is promised of our layer: name, measured, at most."""
    slow, fast = (run.get(name, {}).get("ours") for name in ("scrub-100ms", "scrub-ram"))
    infinite = float("inf")
    if slow is not None:
        if fast is not None:
            stall = slow["longest_gap_ms"] / fast["longest_gap_ms"]
            yield "scrub: longest gap / the same in memory", stall, 1.5
        yield "scrub: right plane, in read latencies", (slow["right_ms"] or infinite) / 100, 2.0
        # All other reads were ahead of the slider: prefetch.
        read = slow["chunks_of_plane"] + slow["chunks_passed"]
        yield "scrub: chunks not read ahead / those of the last plane", read / CHUNKS_IN_VIEW, 2.0
        yield "scrub: 20 / steps whose first frame was right", 20 / max(slow["at_once"], 1), 1.0
    for name, layers in run.items():
        if name.startswith("scrub-9515") and "ours" in layers:
            yield f"{name}: 60 / frames drawn", 60 / max(layers["ours"]["frames"], 1), 1.0
    if (step := run.get("one-step", {}).get("ours")) is not None:
        yield "one step: chunks of the ideal level", step["chunks_of_plane_by_level"][0], 4
    for name in ("giant", "giant-float64"):
        giant = run.get(name, {})
        if not {"ours", "stock-sync"} <= giant.keys():
            continue
        ours, stock = giant["ours"], giant["stock-sync"]
        stall = ours["longest_gap_ms"] / stock["longest_gap_ms"]
        yield f"{name}: longest gap, ours / stock", stall, 0.1
        work = ours["longest_work_ms"] / stock["longest_work_ms"]
        yield f"{name}: longest work of the GUI thread, ours / stock", work, 0.1
        whole = (ours["right_ms"] or infinite) / (stock["right_ms"] or infinite)
        yield f"{name}: whole picture, ours / stock", whole, 2.0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sliders", description=__doc__)
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--layers", nargs="+", default=LAYERS, choices=LAYERS)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/sliders.json")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    run: Run = {}
    with tempfile.TemporaryDirectory(prefix="napari-octree-sliders-") as scratch:
        for scenario in options.scenarios:
            run[scenario] = {}
            for layer in options.layers:
                print(f"{scenario}, {layer} …", flush=True)
                run[scenario][layer] = run_session(
                    "benchmarks.sliders.session", (layer, scenario), Path(scratch), LIMIT_S
                )
            write_report(options.output, run=run)  # what is measured is kept, whatever comes
    print(*table(run), sep="\n")
    print_bounds(bounds(run))
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
