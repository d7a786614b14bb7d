"""The figures of a run as text: a table per store, ratios to stock, and the promised bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

Run = dict[str, dict[str, Any]]
"""Per store ("300ms"), per layer ("ours"): what a session wrote."""

COLUMNS = {
    "longest_gap_ms": "longest gap ms",
    "stalls_ms": "stalls ms",
    "settle_ms": "settle ms",
    "whole_ms": "whole ms",
    "chunks_read": "chunks",
    "moving_frames": "frames moving",
    "frames": "frames",
}
AT_ONCE_MS = 50.0
"""Times to settle below this are a frame or two: nobody sees a difference."""

RATIOS = ("longest_gap_ms", "stalls_ms", "settle_ms", "whole_ms", "chunks_read")


def tables(run: Run) -> Iterator[str]:
    """One table per store: a row per phase and layer."""
    for store, layers in run.items():
        yield f"\n{store}"
        yield _row("phase", "layer", *COLUMNS.values())
        for phase in _phases(layers):
            for layer, result in layers.items():
                figures = result["phases"][phase]
                yield _row(phase, layer, *(_number(figures[name]) for name in COLUMNS))


def ratios(run: Run) -> Iterator[str]:
    """Ours divided by stock: below 1 is better."""
    for store, layers in run.items():
        for stock in [name for name in layers if name != "ours"] if "ours" in layers else ():
            yield f"\n{store}: ours / {stock}"
            yield _row("phase", "", *(COLUMNS[name] for name in RATIOS))
            for phase in _phases(layers):
                ours, theirs = (layers[layer]["phases"][phase] for layer in ("ours", stock))
                yield _row(phase, "", *(_ratio(ours[name], theirs[name]) for name in RATIOS))


def bounds(run: Run) -> Iterator[tuple[str, float, float]]:
    """What is promised of our layer: name, measured, at most."""
    memory = run.get("ram", {}).get("ours")
    for store, layers in run.items():
        ours = layers.get("ours")
        if ours is None:
            continue
        if ours["latency_ms"]:
            opening = ours["phases"]["open"]["whole_ms"]
            latencies = float("inf") if opening is None else opening / ours["latency_ms"]
            yield f"{store}: first whole picture, in read latencies", latencies, 2.0
            if memory is not None:
                ratio = _longest_gap(ours) / _longest_gap(memory)
                yield f"{store}: longest gap / the same in memory", ratio, 1.5
        if store == "disk" and "stock-async" in layers:
            for phase in [name for name in ours["phases"] if name != "first"]:
                measured, theirs = (
                    _settled_ms(result["phases"][phase])
                    for result in (ours, layers["stock-async"])
                )
                yield f"{store}: {phase} settles, ours / stock-async", measured / theirs, 1.0


def _longest_gap(result: dict[str, Any]) -> float:
    """Over all phases but the first layer's, which reads nothing."""
    phases = result["phases"].items()
    return max(figures["longest_gap_ms"] for name, figures in phases if name != "first")


def _settled_ms(figures: dict[str, Any]) -> float:
    settle = figures["settle_ms"]
    return math.inf if settle is None else max(settle, AT_ONCE_MS)


def _phases(layers: dict[str, Any]) -> list[str]:
    return list(next(iter(layers.values()))["phases"])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    if ours is None or theirs is None or theirs == 0:
        return "–"
    return f"{ours / theirs:.2f}"


def _row(phase: str, layer: str, *cells: str) -> str:
    return f"{phase:9}{layer:12}" + "".join(f"{cell:>15}" for cell in cells)
