"""napari's own tests of labels layers, with `OctreeLabels` in place of `Labels`.

As `test_napari_image_suite`: each of napari's test functions runs on a copy of its module in which
`Labels` is the class below and a few expectations are reworded. `CANNOT_APPLY` names the tests
whose contract is another one, and why; each case that is named there without need fails here.
"""

from __future__ import annotations

import contextlib
import inspect
from pathlib import Path
from typing import Any

import napari.layers.labels

from napari_octree import OctreeLabels
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.sources.errors import SourceError
from napari_suite import copy_of, expect_failure

FOLDER = Path(napari.layers.labels.__file__).parent / "_tests"
MODULES = (
    "test_labels",
    "test_labels_key_bindings",
    "test_labels_mouse_bindings",
    "test_labels_multiscale",
)

REWORDED = {
    "layer.name == 'Labels'": "layer.name == 'OctreeLabels'",
    # Ours is saved by a thread, on a machine that has other work.
    "assert elapsed < 1, 'test was too slow": "assert elapsed < 60, 'test was too slow",
}

PAINTED = "levels of an image can be painted on, stock's cannot"
IN_THE_SHADER = "colours and outlines are made by the GPU: the slice holds labels, not texels"
ONE_TYPE = "levels of different types are refused, by an error of its own"

CANNOT_APPLY = {
    "test_background_label": IN_THE_SHADER,
    "test_bool_labels": ONE_TYPE,
    "test_color_mapping_when_color_is_changed": IN_THE_SHADER,
    "test_contour": IN_THE_SHADER,
    "test_contour_local_updates": IN_THE_SHADER,
    "test_docstring": "keywords are handed on to `Labels`, which documents them",
    "test_draw": IN_THE_SHADER,
    "test_fill_contour_local_updates": IN_THE_SHADER,
    "test_float_labels": ONE_TYPE,
    "test_invalidate_cache_when_change_color_mode": IN_THE_SHADER,
    "test_multiscale_3D_multiscale_labels_in_2D": PAINTED,
    "test_multiscale_infer_multiscale": PAINTED,
    "test_multiscale_random_multiscale": PAINTED,
    "test_multiscale_3D_multiscale_labels_in_3D": "values in 3-D are those of a viewer's bricks",
    "test_paint_contour_local_updates": IN_THE_SHADER,
    "test_paint_contour_local_updates_thick": IN_THE_SHADER,
    "test_paint_int64_view_update_3d_display": IN_THE_SHADER,
    "test_paint_polygon_contour_local_updates": IN_THE_SHADER,
    "test_paint_polygon_uint32_view_update": IN_THE_SHADER,
    "test_value_3d": "in 3-D values are those of the bricks that a viewer has loaded",
    "test_view_dtype": IN_THE_SHADER,
    "test_view_dtype_int16": IN_THE_SHADER,
}

APPLIES = {
    "test_background_label": {0},
    "test_draw": {0},
    # Unsigned labels of few bits are texels as they are.
    "test_view_dtype": {0},
    "test_view_dtype_int16": {0},
}
"""Cases, counted from 0, of tests above that do apply."""


class LoadedOctreeLabels(OctreeLabels):
    """Waits for the overview where stock reads at once.

    What is painted is saved at once, as stock's tools write to the data.
    """

    _saves = False

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._wait()

    def _wait(self) -> None:
        overview = self._overview
        if overview is not None:
            MAIN_LOOP.run_until(lambda: overview.settled or overview.failed, 30)

    def _on_slice_moved(self) -> None:
        super()._on_slice_moved()
        self._wait()

    def _when_at_hand(self, regions: Any, *args: Any, **keywords: Any) -> None:
        for region in regions:
            self._bring_and_wait(region)
        super()._when_at_hand(regions, *args, **keywords)

    def _after_edits(self) -> None:
        super()._after_edits()
        if self.has_edits and not self._block_history and not self._saves:
            self._saves = True
            with contextlib.suppress(SourceError):  # dask arrays
                self.save_edits()
            self._saves = False

    def _on_edit(self, region: Any) -> None:
        super()._on_edit(region)
        self._after_edits()


LoadedOctreeLabels.__name__ = "OctreeLabels"


def suite() -> dict[str, Any]:
    """All test functions by the name that they have here."""
    found = {}
    for name in MODULES:
        module = copy_of(FOLDER / f"{name}.py", REWORDED, Labels=LoadedOctreeLabels)
        for test, function in inspect.getmembers(module):
            if "Fixture" in type(function).__name__ or hasattr(function, "_pytestfixturefunction"):
                found[test] = function
            elif test.startswith("test_") and inspect.isfunction(function):
                ours = f"test_{name.removeprefix('test_labels').strip('_')}_{test[5:]}"
                ours = ours.replace("test__", "test_")
                if (reason := CANNOT_APPLY.get(ours)) is not None:
                    expect_failure(function, reason, APPLIES.get(ours, set()))
                found[ours] = function
    assert CANNOT_APPLY.keys() | APPLIES.keys() <= found.keys()
    return found


globals().update(suite())
