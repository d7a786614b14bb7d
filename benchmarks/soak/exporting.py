"""Exports of a random box of a random level, as the menu starts them; some are cancelled.

Invariants: what is written equals the pixels that belong there; a cancelled or failed export
leaves nothing under its name.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from benchmarks.soak.arrays import STEPS

from napari_octree.plugin.background_task import BackgroundTask
from napari_octree.plugin.export import ENDINGS, export_of

SIDE = 300


def expected(starts: list[int], shape: tuple[int, ...], axes: str, level: int) -> np.ndarray:
    """Pixels of a box of a level, which begins at `starts` of it, modulo 127."""
    total = np.zeros((1,) * len(axes), np.int64)
    for place, (axis, start, n) in enumerate(zip(axes, starts, shape, strict=True)):
        scale = 1 if axis == "t" else 2**level
        along = np.arange(start, start + n) * scale * STEPS["tzyx".index(axis)] % 127
        total = total + along.reshape([-1 if i == place else 1 for i in range(len(axes))])
    return total % 127


class Exporter:
    """Exports under way, at most one at a time."""

    def __init__(self) -> None:
        self._task: BackgroundTask[Any] | None = None
        self._folder: Path | None = None
        self.compared = self.failed = self.cancelled = 0

    def begin(self, layer: Any, rng: np.random.Generator) -> None:
        """Write a box of some level, in the background."""
        axes = layer.metadata.get("axes")
        if (self._task is not None and not self._task.finished) or axes is None:
            return
        level = int(rng.integers(len(layer.level_shapes)))
        steps = [1 if axis == "t" else 2**level for axis in axes]
        starts, box = [], []
        for axis, step, n in zip(axes, steps, layer.level_shapes[level], strict=False):
            side = SIDE if axis in "yx" else 2
            first = int(rng.integers(max(1, int(n) - side)))
            starts.append(first)
            box.append((first * step, min(int(n), first + side) * step))
        self._folder = folder = Path(tempfile.mkdtemp(prefix="soak-export-"))
        kind = "OME-TIFF" if rng.random() < 0.4 else "OME-Zarr"
        export = export_of([layer], folder / f"out{ENDINGS[kind]}", kind, box=box, level=level)  # type: ignore[arg-type]
        is_bool = np.issubdtype(layer.dtype, np.bool_)

        def done(path: Path) -> None:
            found = zarr.open_array(path / "0")[:] if path.is_dir() else tifffile.imread(path)
            whole = expected(starts, export.image.shape, axes, level)
            right = whole > 60 if is_bool else whole
            if not np.array_equal(np.squeeze(found).astype(np.int64), np.squeeze(right)):
                raise AssertionError(
                    f"{layer.name}: the export of {box} of level {level} is wrong"
                )
            self.compared += 1
            shutil.rmtree(folder)

        def ended(*_: Any) -> None:
            if left := list(folder.iterdir()):
                raise AssertionError(f"{layer.name}: a cancelled or failed export left {left}")
            folder.rmdir()

        def failed(error: BaseException) -> None:
            self.failed += 1
            refused = "holds no pixels of type" in str(error)
            if not refused and not isinstance(error, OSError):
                raise error
            ended()

        def cancelled() -> None:
            self.cancelled += 1
            ended()

        self._task = BackgroundTask(
            f"Export {layer.name}",
            lambda task: export.run(task.report, task.cancelled),
            done,
            failed,
            cancelled,
        )

    def cancel(self) -> None:
        """End what is under way."""
        if self._task is not None and not self._task.finished:
            self._task.cancel()

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.finished
