"""napari's own tests of image layers, with `OctreeImage` in place of `Image`.

Each of napari's test functions runs on a copy of its module in which `Image` is the class
below and a few expectations are reworded (`REWORDED`). `CANNOT_APPLY` names the tests whose
contract is another one, and why; each case that is named there without need fails here, so that
the list stays true.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import napari.layers.image

from napari_octree import OctreeImage
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_suite import copy_of, expect_failure

FOLDER = Path(napari.layers.image.__file__).parent / "_tests"
MODULES = ("test_image", "test_multiscale", "test_volume", "test_image_utils")

REWORDED = {
    "layer.name == 'Image'": "layer.name == 'OctreeImage'",
}

SCALED_WHEN_DRAWN = "values beyond float32 are scaled by the texture's encoding, not in the slice"
VIEW_CHOOSES = "a viewer's visual chooses the level in its draw; `locked_data_level` is the switch"
FINEST = "values come from the finest level in RAM, not from the level of a slice"

CANNOT_APPLY = {
    "test_image_adjust_contrast_limits_range_set_data": SCALED_WHEN_DRAWN,
    "test_image_adjust_contrast_out_of_range": SCALED_WHEN_DRAWN,
    "test_image_docstring": "keywords are handed on to `Image`, which documents them",
    "test_image_thick_slice_multiscale": VIEW_CHOOSES,
    "test_image_value_3d": "in 3-D values are those of the bricks that a viewer has loaded",
    "test_multiscale_corner_value": VIEW_CHOOSES,
    "test_multiscale_multiscale_data_protocol": "levels are kept in a list of our own",
    "test_multiscale_update_draw_expands_chunked_multiscale_fov": VIEW_CHOOSES,
    "test_multiscale_update_draw_expands_tensorstore_multiscale_fov": VIEW_CHOOSES,
    "test_multiscale_update_draw_variable_canvas_size_fixed_fov": VIEW_CHOOSES,
    "test_multiscale_update_draw_variable_fov_fixed_canvas_size": VIEW_CHOOSES,
    "test_multiscale_value": FINEST,
    "test_multiscale_value_rgb": FINEST,
}


APPLIES = {
    # The view that shows everything: the level chosen is the coarsest, as before any view.
    "test_multiscale_update_draw_variable_canvas_size_fixed_fov": {2},
    "test_multiscale_update_draw_variable_fov_fixed_canvas_size": {2},
}
"""Cases, counted from 0, of tests above that do apply."""


class LoadedOctreeImage(OctreeImage):
    """Waits for the overview where stock reads at once."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._wait()

    def _wait(self) -> None:
        overview = self._overview
        if overview is not None:
            MAIN_LOOP.run_until(lambda: overview.settled, 30)

    def _on_slice_moved(self) -> None:
        super()._on_slice_moved()
        self._wait()


LoadedOctreeImage.__name__ = "OctreeImage"


def module_of(name: str) -> ModuleType:
    return copy_of(FOLDER / f"{name}.py", REWORDED, Image=LoadedOctreeImage)


def suite() -> dict[str, Any]:
    """All test functions by the name that they have here."""
    found = {}
    for name in MODULES:
        for test, function in inspect.getmembers(module_of(name), inspect.isfunction):
            if test.startswith("test_"):
                ours = f"test_{name.removeprefix('test_')}_{test.removeprefix('test_')}"
                if (reason := CANNOT_APPLY.get(ours)) is not None:
                    expect_failure(function, reason, APPLIES.get(ours, set()))
                found[ours] = function
    assert CANNOT_APPLY.keys() | APPLIES.keys() <= found.keys()
    return found


globals().update(suite())
