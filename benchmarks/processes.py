"""Sessions in processes of their own, and the report that is made of them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LAYERS = ("stock-sync", "stock-async", "ours")


def run_session(
    module: str, arguments: Iterable[object], scratch: Path, limit_s: float
) -> dict[str, Any]:
    """Run ``python -m module *arguments RESULT.json`` with settings of its own.

    Raises
    ------
    RuntimeError
        The session failed; the message holds what it printed.
    """
    words = [str(argument) for argument in arguments]
    name = "-".join(Path(word).name for word in words)
    result = scratch / f"{name}.json"
    done = subprocess.run(
        [sys.executable, "-m", module, *words, str(result)],
        cwd=ROOT,
        env=os.environ | {"NAPARI_CONFIG": str(scratch / f"{name}.yaml")},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    values: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return values


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    packages = ("napari", "vispy", "zarr", "numpy")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "commit": commit(),
        "packages": {name: version(name) for name in packages},
    }


def commit() -> str | None:
    """What was measured, as git names it; None outside a clone."""
    words = ["git", "describe", "--always", "--dirty", "--tags"]
    try:
        ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return ran.stdout.strip()


def write_report(path: Path, **values: Any) -> None:
    """Write figures and machine as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), **values}, indent=1), encoding="utf-8")


def print_bounds(bounds: Iterable[tuple[str, float, float]]) -> None:
    """Say which promises are kept: name, measured, at most."""
    for name, measured, limit in bounds:
        verdict = "kept" if measured <= limit else "BROKEN"
        print(f"{name:60}{measured:8.2f}  (at most {limit})  {verdict}")
