"""All measurements within so many minutes, then the page and the series: ``make bench``.

`python -m benchmarks.run [--minutes 14.5] [more arguments of benchmarks.compare]`. What stands
alone comes first and takes about as long everywhere; the comparison has the rest of the time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from time import monotonic

from benchmarks.processes import ROOT

RESULTS = ROOT / "benchmarks/results"
SERIES = RESULTS / "series"
LAST_S = 40
"""For the last session of the comparison, which may begin when its time is nearly over."""

ALONE = (
    (
        "pytest", "benchmarks", "-q", "--override-ini", "addopts=", "--import-mode=importlib",
        "--benchmark-only", "--benchmark-autosave", f"--benchmark-storage=file://{SERIES}",
        "--benchmark-max-time=0.2", "--benchmark-min-rounds=3",
    ),
    ("benchmarks.draw", "1.5", "400", f"{RESULTS}/draw.json"),
    ("benchmarks.plan_table", "40", f"{RESULTS}/plan.json"),
    ("benchmarks.loader", "--repeat", "4", "--only", "apron", "--json", f"{RESULTS}/loader.json"),
)  # fmt: skip


def step(*words: str) -> bool:
    """Run a module, say how long it took, and return whether all went well."""
    began = monotonic()
    print(f"--- {words[0]}", flush=True)
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False)
    ended = f"FAILED ({done.returncode})" if done.returncode else "done"
    print(f"--- {words[0]}: {ended}, {monotonic() - began:.0f} s", flush=True)
    return not done.returncode


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=14.5, help="for all together")
    options, others = parser.parse_known_args()
    ends = monotonic() + 60 * options.minutes
    SERIES.mkdir(parents=True, exist_ok=True)
    # What fails stops nothing else: its table stays as it was.
    good = [step(*words) for words in ALONE]
    minutes = max((ends - monotonic() - LAST_S) / 60, 1.0)
    good.append(step("benchmarks.compare", "--minutes", f"{minutes:.2f}", *others))
    good += [step("benchmarks.compare.page"), step("benchmarks.series")]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
