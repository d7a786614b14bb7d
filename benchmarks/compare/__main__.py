"""Play the scenarios in turns, write what was measured as JSON, print the promises.

The first round plays every scenario in memory, from disk and from a far store, then looks for
blank places and tries other ways of reading, then plays the other stores; each later one plays
again what more than one figure is worth having of. No session begins after the minutes are over.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks.compare.data import write
from benchmarks.compare.figures import Results, promises
from benchmarks.compare.peers import PEERS
from benchmarks.compare.scenarios import SCENARIOS
from benchmarks.processes import ROOT, machine, run_session

LIMIT_S = 300
SIZES = {"plane": 8192, "stack": 1024, "volume": 256, "labels": 4096, "plate": 1080}
QUICK_SIZES = {"plane": 4096, "stack": 512, "volume": 128, "labels": 2048, "plate": 540}
MANY = ("ram", "disk", "http-50ms")
"""Stores that later rounds play too."""


READERS = ("ours-tensorstore", "ours-dask")
"""Other ways of reading for our layers: played once, on the stores that they can read."""


@dataclass(frozen=True)
class Turn:
    """One session to play.

    Attributes
    ----------
    scenario, store, peer : str
    watch : bool
        Look at every frame, for blank places; nothing else of it counts.
    """

    scenario: str
    store: str
    peer: str
    watch: bool = False


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--stores", nargs="+", help="only these")
    parser.add_argument("--peers", nargs="+", default=["stock-async", "ours"], choices=list(PEERS))
    parser.add_argument("--repeat", type=int, default=3, help="rounds at most")
    parser.add_argument("--minutes", type=float, help="no session begins later (11; --quick: 1.6)")
    parser.add_argument("--quick", action="store_true", help="small data, few stores, one round")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/compare.json")
    options = parser.parse_args()
    if options.quick:
        options.repeat = 1
        options.minutes = options.minutes or 1.6
        options.scenarios = [s for s in ("browse", "small") if s in options.scenarios]
        options.stores = options.stores or ["ram", "http-50ms"]
    options.minutes = options.minutes or 11.0
    return options


def peers_for(name: str, chosen: Sequence[str], number: int) -> list[str]:
    """Who plays a scenario in a round.

    Stock slices small images, volumes and many layers best without threads: its best counts.
    """
    scenario, peers = SCENARIOS[name], list(chosen)
    if name in ("small", "twenty", "volume"):
        peers = ["stock-sync" if peer == "stock-async" else peer for peer in peers]
    if not scenario.has_stock:
        peers = [peer for peer in peers if PEERS[peer].is_ours]
    # Who comes first changes, so that neither always has the warmer caches.
    return list(dict.fromkeys(peers if number % 2 == 0 else reversed(peers)))


def turns(options: argparse.Namespace) -> Iterator[Turn]:
    """All sessions in the order in which they are played: what matters most comes first."""
    for number in range(options.repeat):
        yield from _round(options, number, in_many=True)
        if number == 0:
            yield from _once(options)
            yield from _round(options, number, in_many=False)


def _round(options: argparse.Namespace, number: int, in_many: bool) -> Iterator[Turn]:
    """Every scenario, on the stores of many rounds or on the others."""
    for name, store in _places(options):
        if (store in MANY) is in_many:
            for peer in peers_for(name, options.peers, number):
                yield Turn(name, store, peer)


def _once(options: argparse.Namespace) -> Iterator[Turn]:
    """Browsing with every frame looked at, and by other ways of reading."""
    stores = [store for name, store in _places(options) if name == "browse"]
    if "ours" in options.peers:
        watched = stores[-1:] if options.quick else [s for s in stores if s in MANY[1:]]
        yield from (Turn("browse", store, "ours", watch=True) for store in watched)
    if options.quick:
        return
    readable = [store for store in stores if store in MANY[1:]]
    for reader in READERS:
        for store in readable[: 2 if reader == "ours-tensorstore" else 1]:
            yield Turn("browse", store, reader)


def _places(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Scenarios and stores that were asked for."""
    return [
        (name, store)
        for name in options.scenarios
        for store in SCENARIOS[name].stores
        if not options.stores or store in options.stores
    ]


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    sizes = QUICK_SIZES if options.quick else SIZES
    results: Results = {}
    ends = monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(prefix="napari-octree-compare-") as scratch:
        for turn in turns(options):
            if monotonic() > ends:
                print("The minutes are over.")
                break
            kind = SCENARIOS[turn.scenario].data
            folder = Path(scratch, "none")
            folder.mkdir(exist_ok=True)
            if kind != "none":
                folder = write(kind, Path(scratch), sizes[kind])
            print(f"{turn.scenario}, {turn.store}, {turn.peer} …", flush=True)
            began = monotonic()
            found = run_session(
                "benchmarks.compare.play",
                (turn.scenario, turn.peer, turn.store, folder, "watch" if turn.watch else "-"),
                Path(scratch),
                LIMIT_S,
            )
            found["session_s"] = monotonic() - began
            _keep(results, turn, found)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            report = {"machine": machine(), "sizes": sizes, "results": results}
            options.output.write_text(json.dumps(report, indent=1), encoding="utf-8")
    _keep_for_the_series(options.output)
    for promise in promises(results):
        verdict = "kept  " if promise.kept else "MISSED"
        print(f"{verdict} {promise.what}, {promise.where}: {promise.measured}"
              f" (at most {promise.at_most})")  # fmt: skip
    print(f"\nWritten to {options.output}")


def _keep_for_the_series(report: Path) -> None:
    """Copy a report to where `benchmarks.series` looks for it."""
    folder = report.parent / "series"
    folder.mkdir(exist_ok=True)
    shutil.copy(report, folder / f"compare-{datetime.now(UTC):%Y%m%d-%H%M%S}.json")


def _keep(results: Results, turn: Turn, found: dict) -> None:
    """Add a round; of one that looked at every frame only what it saw counts."""
    runs = results.setdefault(turn.scenario, {}).setdefault(turn.store, {})
    runs = runs.setdefault(turn.peer, [])
    if not turn.watch:
        runs.append(found)
        return
    for run in runs:
        for phase, figures in run["phases"].items():
            figures["blank_s"] = found["phases"].get(phase, {}).get("blank_s")
            if figures.get("whole_ms") is None:
                figures["whole_ms"] = found["phases"].get(phase, {}).get("whole_ms")


if __name__ == "__main__":
    main()
