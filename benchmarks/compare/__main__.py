"""Play the scenarios in turns, write what was measured as JSON, print the promises."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.compare.data import write
from benchmarks.compare.figures import Results, promises
from benchmarks.compare.peers import PEERS
from benchmarks.compare.scenarios import SCENARIOS
from benchmarks.processes import ROOT, machine, run_session

LIMIT_S = 300
SIZES = {"plane": 8192, "stack": 1024, "volume": 256, "labels": 4096}
QUICK_SIZES = {"plane": 4096, "stack": 512, "volume": 128, "labels": 2048}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--stores", nargs="+", help="only these")
    parser.add_argument("--peers", nargs="+", default=["stock-async", "ours"], choices=list(PEERS))
    parser.add_argument("--repeat", type=int, default=3, help="of each; one more looks at frames")
    parser.add_argument("--quick", action="store_true", help="small data, few stores, one repeat")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/compare.json")
    options = parser.parse_args()
    if options.quick:
        options.repeat = 1
        options.scenarios = [s for s in ("browse", "small") if s in options.scenarios]
        options.stores = options.stores or ["ram", "http-50ms"]
    return options


def peers_for(scenario: str, chosen: list[str]) -> list[str]:
    """Stock slices small images, volumes and many layers best without threads: its best counts."""
    if scenario in ("small", "twenty", "volume"):
        chosen = ["stock-sync" if peer == "stock-async" else peer for peer in chosen]
    return list(dict.fromkeys(chosen))


def main() -> None:
    """Run what the command line asks for."""
    options = arguments()
    sizes = QUICK_SIZES if options.quick else SIZES
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="napari-octree-compare-") as scratch:
        for repeat in range(options.repeat + 1):
            watch = "watch" if repeat == options.repeat else "-"
            for name in options.scenarios:
                scenario = SCENARIOS[name]
                if watch == "watch" and name != "browse":
                    continue
                folder = Path(scratch)
                if scenario.data != "none":
                    folder = write(scenario.data, Path(scratch), sizes[scenario.data])
                else:
                    (folder / "none").mkdir(exist_ok=True)
                    folder = folder / "none"
                for store in scenario.stores:
                    if options.stores and store not in options.stores:
                        continue
                    peers = peers_for(name, options.peers)
                    # Who comes first changes, so that neither always has the warmer caches.
                    for peer in peers if repeat % 2 == 0 else reversed(peers):
                        print(f"{repeat}: {name}, {store}, {peer} …", flush=True)
                        found = run_session(
                            "benchmarks.compare.session",
                            (name, peer, store, folder, watch),
                            Path(scratch),
                            LIMIT_S,
                        )
                        _keep(results, name, store, peer, found, watch == "watch")
            options.output.parent.mkdir(parents=True, exist_ok=True)
            report = {"machine": machine(), "sizes": sizes, "results": results}
            options.output.write_text(json.dumps(report, indent=1), encoding="utf-8")
    for promise in promises(results):
        verdict = "kept  " if promise.kept else "MISSED"
        print(f"{verdict} {promise.what}, {promise.where}: {promise.measured}"
              f" (at most {promise.at_most})")  # fmt: skip
    print(f"\nWritten to {options.output}")


def _keep(
    results: Results, scenario: str, store: str, peer: str, found: dict, watched: bool
) -> None:
    """Add a repeat; of one that looked at every frame only what it saw counts."""
    runs = results.setdefault(scenario, {}).setdefault(store, {}).setdefault(peer, [])
    if not watched:
        runs.append(found)
        return
    for run in runs:
        for phase, figures in run["phases"].items():
            figures["blank_s"] = found["phases"].get(phase, {}).get("blank_s")
            if figures.get("whole_ms") is None:
                figures["whole_ms"] = found["phases"].get(phase, {}).get("whole_ms")


if __name__ == "__main__":
    main()
