"""Tables of what is measured alone: a frame, a plan, the loader. For `benchmarks.compare.page`.

Invariants: a table whose measurements nobody has made is not made anew: its block keeps what the
page holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def frame_table(draw: dict[str, Any]) -> Iterator[str]:
    """What `benchmarks.draw` has written."""
    times, python = draw["draw, ms per frame"], draw["Python per frame, ms"]
    sizes = (64, 256, 512)
    rates = [1 / draw[f"upload of a tile of {size}"]["rate"] for size in sizes]
    budget, idle = draw["budget"], draw["idle"]
    rows = (
        ("a whole frame : stock's one quad", [times["ratio"]], 1.15),
        ("the same, of the quickest tenths", [times["ratio of the quickest tenths"]], 1.15),
        ("ms of Python, nothing changed", [python["unchanged, in frames"]], 0.2),
        ("ms of Python, camera moved, same tiles", [python["moved, in frames"]], 1.0),
        ("ms of Python, a row of other tiles, all there", [python["other row, in frames"]], 1.0),
        (
            "time of uploads : glTexSubImage2D as vispy calls it, tiles of 66², 258², 514²",
            rates,
            1 / 0.85,
        ),
        (
            f"of {budget['frames']:,} frames so many over their upload budget by processor time",
            [budget["over, processor time"]],
            0,
        ),
        (f"frames in {idle['seconds']:.0f} s of idling", [idle["frames"]], 0),
    )
    yield "| what | measured | at most | |"
    yield "| --- | --- | --- | --- |"
    for what, figures, most in rows:
        verdict = "kept" if max(figures) <= most else "**missed**"
        yield f"| {what} | {', '.join(f'{f:.2g}' for f in figures)} | {most:.3g} | {verdict} |"


def plan_rows(plan: dict[str, Any]) -> Iterator[str]:
    """What `benchmarks.plan_table` has written: milliseconds by the size of an image."""
    sides = list(next(iter(plan["plan"].values())))
    yield "| ms of a plan | " + " | ".join(sides) + " |"
    yield "| --- " * (1 + len(sides)) + "|"
    for kind, of in (("plan", "256 tiles"), ("bricks", "up to 1000 bricks")):
        for state, times in plan[kind].items():
            cells = " | ".join(f"{times[side]:.2f}" for side in sides)
            yield f"| {of}, {state} | {cells} |"


def loader_table(loader: dict[str, Any]) -> Iterator[str]:
    """What `benchmarks.loader` has written: time over that of bare reads, with quartiles."""
    aims = {
        "zarr-python, local": (15, 25),
        "tensorstore, local": (15, 25),
        "50 ms latency": (3, 3),
    }
    yield "| reader | without apron | at most | with apron | at most |"
    yield "| --- | --- | --- | --- | --- |"
    for reader, most in aims.items():
        cells = []
        for apron in (0, 1):
            found = loader[f"{reader}, apron {apron}"]
            low, high = found["loader_over_raw_elapsed_percent_quartiles"]
            value = found["loader_over_raw_elapsed_percent"]
            cells += [f"{value:.0f}% ({low} to {high})", f"{most[apron]}%"]
        yield f"| {reader} | " + " | ".join(cells) + " |"


TABLES: dict[str, tuple[str, Callable[[dict[str, Any]], Iterator[str]]]] = {
    "frame": ("draw.json", frame_table),
    "octree": ("plan.json", plan_rows),
    "loading": ("loader.json", loader_table),
}
"""Per block of the page: the file beside that of the comparison, and what makes a table of it."""


def blocks_of(folder: Path) -> dict[str, str]:
    """Return the blocks for which there are measurements in a folder."""
    return {
        name: "\n".join(table(json.loads(path.read_text(encoding="utf-8"))))
        for name, (file, table) in TABLES.items()
        if (path := folder / file).exists()
    }
