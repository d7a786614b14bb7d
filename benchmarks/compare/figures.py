"""From results of sessions to figures: medians and quartiles, ratios to stock, promises.

Invariants: what was not measured in some repeat is None and stays None; ratios are medians of
ratios of the same repeat, so that a machine that changes its speed changes both sides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

Results = dict[str, dict[str, dict[str, list[dict[str, Any]]]]]
"""Per scenario, store and peer: what each repeat wrote."""

AT_ONCE_MS = 50.0
"""Times to settle below this are a frame or two: nobody sees a difference."""


@dataclass(frozen=True)
class Figure:
    """A median and the quartiles around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isinf(self.value):
            return "never"
        digits = 0 if abs(self.value) >= 10 else 1 if abs(self.value) >= 1 else 2
        text = f"{self.value:.{digits}f}"
        if self.low == self.high:
            return text
        return f"{text} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def summary(values: list[float | None]) -> Figure | None:
    """Median and quartiles; None if there is nothing, infinite where something never came."""
    if not values or any(value is None for value in values):
        return None
    numbers = [float(value) for value in values if value is not None]
    if len(numbers) < 2:
        return Figure(numbers[0], numbers[0], numbers[0])
    low, _, high = quantiles(numbers, n=4, method="inclusive")
    return Figure(median(numbers), low, high)


def phases(results: Results) -> Iterator[tuple[str, str, str]]:
    """Scenario, store and phase of each row; numbered phases ("add small 3") are one row."""
    for scenario, stores in results.items():
        for store, peers in stores.items():
            names: list[str] = []
            for runs in peers.values():
                for name in runs[0]["phases"]:
                    if (row := _row(name)) not in names:
                        names.append(row)
            yield from ((scenario, store, name) for name in names)


def values(results: Results, scenario: str, store: str, peer: str, phase: str, name: str) -> list:
    """Return a figure of every repeat (of numbered phases, their median)."""
    found: list[float | None] = []
    for run in results[scenario].get(store, {}).get(peer, []):
        each = [figures.get(name) for own, figures in run["phases"].items() if _row(own) == phase]
        if each:
            found.append(None if None in each else median(each))
    return found


def figure(
    results: Results, where: tuple[str, str, str], peer: str, name: str, unit: float = 1.0
) -> Figure | None:
    """Return a figure of one row and peer, in such units."""
    scenario, store, phase = where
    found = values(results, scenario, store, peer, phase, name)
    return summary([None if value is None else value / unit for value in found])


def ratio(
    results: Results, where: tuple[str, str, str], name: str, ours: str, theirs: str,
    at_least: float = 0.0,
) -> Figure | None:  # fmt: skip
    """Return ours : theirs, repeat by repeat; both are taken for `at_least` at the least."""
    scenario, store, phase = where
    above = values(results, scenario, store, ours, phase, name)
    below = values(results, scenario, store, theirs, phase, name)
    pairs = [
        None if a is None or not b else max(a, at_least) / max(b, at_least)
        for a, b in zip(above, below, strict=False)
    ]
    return summary(pairs)


def to_ram(results: Results, where: tuple[str, str, str], peer: str) -> Figure | None:
    """Longest gap : the same script with the data in memory."""
    scenario, store, phase = where
    here = values(results, scenario, store, peer, phase, "longest_gap_ms")
    there = values(results, scenario, "ram", peer, phase, "longest_gap_ms")
    return summary([a / b for a, b in zip(here, there, strict=False) if b])


@dataclass(frozen=True)
class Promise:
    """What is promised of a row: kept or not."""

    what: str
    where: str
    measured: Figure
    at_most: float

    @property
    def kept(self) -> bool:
        """Whether the median is within the bound."""
        return self.measured.value <= self.at_most


def promises(results: Results, peer: str = "ours") -> Iterator[Promise]:
    """All promises that the results can tell something about."""
    for where in phases(results):
        scenario, store, phase = where
        if peer not in results[scenario][store]:
            continue
        place = f"{phase}, {store}" + (" 1080p" if scenario.endswith("1080p") else "")
        far = store.startswith("http")
        slow = store not in ("ram", "tiff") and "ram" in results[scenario] and phase != "idle"
        if slow and (gap := to_ram(results, where, peer)):
            yield Promise("longest gap : in memory", place, gap, 1.5)
        if store in ("disk", "sharded") and phase != "idle":
            settled = ratio(results, where, "settle_ms", peer, "stock-async", AT_ONCE_MS)
            if settled:
                yield Promise("settled : stock async", place, settled, 1.0)
        if phase in ("open", "jump") and far:
            raw = _pairs(results, where, peer, "settle_ms", "raw_ms")
            if raw:
                yield Promise("settled : bare reads of the same", place, raw, 1.3)
            many = _pairs(results, where, peer, "chunks", "needed")
            if many:
                yield Promise("chunks : those needed and coverage", place, many, 1.3)
            much = _pairs(results, where, peer, "bytes", "needed_bytes")
            if much:
                yield Promise("bytes : those needed and coverage", place, much, 1.3)
        if phase == "open" and far:
            whole = values(results, *where[:2], peer, phase, "whole_ms")
            latency = results[scenario][store][peer][0]["latency_ms"]
            if (seen := summary([None if w is None else w / latency for w in whole])) is not None:
                yield Promise("first whole picture, in read latencies", place, seen, 2.0)
        if phase in ("zoom in", "pan", "jump", "zoom out", "revisit"):
            blank = figure(results, where, peer, "blank_s")
            if blank is not None:
                yield Promise("blank seconds after the overview", place, blank, 0.0)
        if phase in ("add small", "slider small"):
            same = ratio(results, where, "settle_ms", peer, "stock-sync")
            if same:
                yield Promise("settled : stock", place, same, 1.05)
        if phase == "first layer":
            same = ratio(results, where, "longest_gap_ms", peer, "stock-async")
            if same:
                yield Promise("longest gap : stock async", place, same, 1.0)
        if phase == "add 20 layers":
            same = ratio(results, where, "longest_gap_ms", peer, "stock-sync")
            if same:
                yield Promise("longest gap : stock", place, same, 0.5)
        if phase == "pan over 20 layers":
            same = ratio(results, where, "gui_ms", peer, "stock-sync")
            if same:
                yield Promise("GUI thread : stock", place, same, 0.67)
        if phase in ("turn to 3-D", "orbit", "zoom in 3-D"):
            same = ratio(results, where, "longest_gap_ms", peer, "stock-sync")
            if same:
                yield Promise("longest gap : stock's coarsest level", place, same, 1.5)


def _pairs(
    results: Results, where: tuple[str, str, str], peer: str, above: str, below: str
) -> Figure | None:
    tops, bottoms = (values(results, *where[:2], peer, where[2], name) for name in (above, below))
    pairs = [None if a is None or not b else a / b for a, b in zip(tops, bottoms, strict=False)]
    return summary(pairs)


def _row(phase: str) -> str:
    return re.sub(r" \d+$", "", phase) if not phase.endswith("layers") else phase
