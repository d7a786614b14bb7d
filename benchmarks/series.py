"""Draw how the measurements went from commit to commit: ``python -m benchmarks.series``.

Reads what ``make bench`` has kept in benchmarks/results/series (pytest-benchmark's storage, and a
copy of each comparison) and writes series.svg beside it. Left: the least time of each test, as a
ratio to the first run that knows it. Right: longest gaps of our layers in the comparison.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare.figures import figure, phases
from benchmarks.processes import ROOT

SERIES = ROOT / "benchmarks/results/series"

Lines = dict[str, list[tuple[int, float]]]
"""Per name: places in the list of runs, and the values there."""


def tests(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield of each run of the tests its commit and the least seconds of each, oldest first."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/*.json")]
    for run in sorted(runs, key=lambda run: run["datetime"]):
        least = {test["fullname"]: test["stats"]["min"] for test in run["benchmarks"]}
        yield run["commit_info"]["id"][:9], least


def gaps(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield of each comparison its commit and the longest gaps of the browse, oldest first."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("compare*.json")]
    for run in sorted(runs, key=lambda run: run["machine"]["date"]):
        results, found = run["results"], {}
        for where in phases(results):
            value = figure(results, where, "ours", "longest_gap_ms")
            if where[0] == "browse" and value is not None:
                found[f"{where[2]}, {where[1]}"] = value.value
        yield run["machine"]["commit"] or "", found


def lines(runs: list[tuple[str, dict[str, float]]], relative: bool) -> Lines:
    """Turn runs into a line for each name."""
    found: Lines = defaultdict(list)
    for place, (_, values) in enumerate(runs):
        for name, value in values.items():
            found[name].append((place, value))
    if relative:
        return {name: [(at, v / line[0][1]) for at, v in line] for name, line in found.items()}
    return found


def main() -> None:
    """Draw both."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SERIES
    sketch, axes = pyplot.subplots(1, 2, figsize=(12, 5))
    parts = (
        (list(tests(folder)), True, "least time of a test : in its first run"),
        (list(gaps(folder)), False, "longest gap, ms"),
    )
    for axis, (runs, relative, title) in zip(axes, parts, strict=True):
        for name, line in lines(runs, relative).items():
            places, values = zip(*line, strict=True)
            axis.plot(places, values, ".-", linewidth=0.8, label=name.rpartition("::")[2])
        axis.set_xticks(range(len(runs)), [commit for commit, _ in runs], rotation=60)
        axis.set_yscale("log")
        axis.set_title(f"{title} ({len(runs)} runs)")
    sketch.savefig(folder / "series.svg", bbox_inches="tight")
    print(f"Written to {folder / 'series.svg'}")


if __name__ == "__main__":
    main()
