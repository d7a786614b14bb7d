"""Write the figures of a run into the page of the docs: tables, promises, a plot.

`python -m benchmarks.compare.page [RESULTS.json] [PAGE.md]`. The page keeps its own words; what
stands between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is made anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare.alone import blocks_of
from benchmarks.compare.figures import (
    Results,
    figure,
    phases,
    promises,
    summary,
    to_ram,
)
from benchmarks.processes import ROOT

STOCK = ("stock-async", "stock-sync")
READERS = ("ours-tensorstore", "ours-dask")


def machine_line(report: dict[str, Any]) -> str:
    """One line: where and when, on which load, how often each."""
    machine = report["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    stores = [store for scenario in report["results"].values() for store in scenario.values()]
    repeats = min(len(runs) for store in stores for runs in store.values())
    return (
        f"{machine['date'][:10]}, each played at least {repeats} time(s),"
        f" {machine['cores']} cores, load {machine['load'][0]:.1f} at the end,"
        f" Python {machine['python']}, {packages};"
        f" {machine['platform']}."
    )


def table(results: Results, scenarios: tuple[str, ...]) -> Iterator[str]:
    """A row per scenario's phase and store."""
    yield (
        "| what | store | longest gap ms, stock : ours | ours : in memory | p99 gap ms,"
        " stock : ours | settled ms, stock : ours | bare reads ms | chunks, stock : ours (needed)"
        " | MB read, stock : ours (needed) | frames moving, stock : ours | ms a frame,"
        " stock : ours | GUI thread ms, stock : ours |"
    )
    yield "| --- " * 12 + "|"
    for where in phases(results):
        scenario, store, phase = where
        if scenario not in scenarios or phase == "idle":
            continue
        peers = results[scenario][store]
        stock = next((name for name in STOCK if name in peers), "")

        def pair(
            name: str,
            where: Any = where,
            stock: str = stock,
            needed: str = "",
            unit: float = 1.0,
        ) -> str:
            theirs, ours, least = (
                figure(results, where, *wanted, unit)
                for wanted in ((stock, name), ("ours", name), ("ours", needed))
            )
            return f"{_text(theirs)} : {_text(ours)}" + (f" ({least})" if least else "")

        yield (
            "| "
            + " | ".join(
                [
                    phase + (" 1080p" if scenario.endswith("1080p") else ""),
                    store,
                    pair("longest_gap_ms"),
                    "" if store == "ram" else _text(to_ram(results, where, "ours")),
                    pair("p99_gap_ms"),
                    pair("settle_ms"),
                    _text(figure(results, where, "ours", "raw_ms")),
                    pair("chunks", needed="needed"),
                    pair("bytes", needed="needed_bytes", unit=1e6),
                    pair("moving_frames"),
                    pair("frame_ms"),
                    pair("gui_ms"),
                ]
            )
            + " |"
        )


def reader_table(results: Results) -> Iterator[str]:
    """Our layers over zarr-python, tensorstore, and a cluster of dask, phase by phase."""
    yield "| what | store | longest gap ms, zarr : tensorstore : dask | settled ms | chunks |"
    yield "| --- | --- | --- | --- | --- |"
    for where in phases(results):
        scenario, store, phase = where
        if READERS[0] not in results[scenario][store] or phase == "idle":
            continue
        pairs = (
            " : ".join(_text(figure(results, where, peer, name)) for peer in ("ours", *READERS))
            for name in ("longest_gap_ms", "settle_ms", "chunks")
        )
        yield f"| {phase} | {store} | " + " | ".join(pairs) + " |"


def memory_table(results: Results) -> Iterator[str]:
    """What each script took at most of memory, above what the empty window takes; and idling."""
    yield (
        "| script | store | peak MiB, stock : ours | textures MiB, stock : ours"
        " | idle: frames, wake-ups a second, ours |"
    )
    yield "| --- " * 5 + "|"
    for scenario, stores in results.items():
        for store, peers in stores.items():
            stock = next((name for name in STOCK if name in peers), "")
            most, textures = (
                " : ".join(
                    _text(summary([run.get(held) for run in peers.get(name, [])]))
                    for name in (stock, "ours")
                )
                for held in ("peak_mib", "texture_mib")
            )
            idle = (
                _text(figure(results, (scenario, store, "idle"), "ours", name))
                for name in ("frames", "woken_per_s")
            )
            row = [scenario, store, most, textures, ", ".join(idle)]
            yield "| " + " | ".join(row) + " |"


def promise_table(results: Results) -> Iterator[str]:
    """All promises, missed ones first."""
    yield "| promise | where | measured | at most | |"
    yield "| --- | --- | --- | --- | --- |"
    for promise in sorted(promises(results), key=lambda p: p.kept):
        verdict = "kept" if promise.kept else "**missed**"
        yield (
            f"| {promise.what} | {promise.where} | {promise.measured} | {promise.at_most}"
            f" | {verdict} |"
        )


def plot(results: Results, path: Path) -> None:
    """Draw longest gaps and times to settle, stock and ours, as two columns of dots."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [where for where in phases(results) if where[0] == "browse" and where[2] != "idle"]
    sketch, axes = pyplot.subplots(1, 2, figsize=(10, 0.22 * len(rows) + 1), sharey=True)
    for axis, name in zip(axes, ("longest_gap_ms", "settle_ms"), strict=True):
        for peer, colour in (("stock-async", "#999999"), ("ours", "#0072b2")):
            found = [figure(results, where, peer, name) for where in rows]
            places = [i for i, each in enumerate(found) if each is not None]
            axis.plot(
                [each.value for each in found if each is not None], places, "o",
                color=colour, label=peer,
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_xlabel(name.replace("_", " "))
    axes[0].set_yticks(range(len(rows)), [f"{phase}, {store}" for _, store, phase in rows])
    axes[0].invert_yaxis()
    axes[1].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    sketch.savefig(path, bbox_inches="tight")


def filled(page: str, blocks: dict[str, str]) -> str:
    """Return the page with the blocks of these names put in; others stay as they are."""

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        return (
            f"<!-- figures: {name} -->\n{blocks[name]}\n<!-- end -->"
            if name in blocks
            else match[0]
        )

    pattern = r"<!-- figures: (?P<name>[\w-]+) -->\n.*?<!-- end -->"
    return re.sub(pattern, replaced, page, flags=re.DOTALL)


def _text(value: object) -> str:
    return "–" if value is None else str(value)


def main() -> None:
    """Fill the page."""
    source, page = (
        Path(given)
        for given in (
            *sys.argv[1:],
            *(ROOT / "benchmarks/results/compare.json", ROOT / "docs/performance.md")[
                len(sys.argv) - 1 :
            ],
        )
    )
    report = json.loads(source.read_text(encoding="utf-8"))
    results = report["results"]
    blocks = {
        "machine": machine_line(report),
        "browse": "\n".join(table(results, ("browse", "browse 1080p"))),
        "plate": "\n".join(table(results, ("plate",))),
        "readers": "\n".join(reader_table(results)),
        "memory": "\n".join(memory_table(results)),
        "channels": "\n".join(table(results, ("channels", "labels"))),
        "sliders": "\n".join(table(results, ("sliders",))),
        "volume": "\n".join(table(results, ("volume",))),
        "small": "\n".join(table(results, ("first", "small", "twenty"))),
        "promises": "\n".join(promise_table(results)),
        **blocks_of(source.parent),
    }
    page.write_text(filled(page.read_text(encoding="utf-8"), blocks), encoding="utf-8")
    plot(results, page.parent / "images" / "performance.svg")
    print(f"Written to {page}")


if __name__ == "__main__":
    main()
