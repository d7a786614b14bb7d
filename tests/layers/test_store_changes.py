"""A store that others change while it is shown: the picture is right, or it says that it fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_octree import OctreeConfig, OctreeImage, open_ome_zarr

SIDE, CHUNK, LEVELS = 1024, 128, 3
CONFIG = OctreeConfig(octree={"tile_size": 128}, render={"prefetch": {"ring": 0}})


def write(path: Path, value: int, **more: Any) -> None:
    options = {"chunks": (CHUNK, CHUNK), "overwrite": True} | more
    shape, dtype = options.pop("shape", (SIDE, SIDE)), options.pop("dtype", "uint8")
    zarr.create_array(path, data=np.full(shape, value, dtype), **options)


def with_zarr(path: Path) -> Any:
    return zarr.open_array(path, mode="r")


def with_tensorstore(path: Path) -> Any:
    tensorstore = pytest.importorskip("tensorstore")
    store = {"driver": "file", "path": str(path)}
    return tensorstore.open({"driver": "zarr3", "kvstore": store}, open=True, read=True).result()


def overwrite(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        for file in path.rglob("c/*/*"):
            file.write_bytes(change(file.read_bytes()))

    return apply


CHANGES: dict[str, tuple[Callable[[Path], None], int | None]] = {
    "its chunks are replaced": (lambda path: write(path, 200), 200),
    "it is larger": (lambda path: write(path, 200, shape=(2 * SIDE, 2 * SIDE)), 200),
    "it is cut otherwise": (lambda path: write(path, 200, chunks=(32, 32)), None),
    "its type is another": (lambda path: write(path, 200, dtype="uint16"), None),
    "its folder is gone": (shutil.rmtree, None),
    "its document is gone": (lambda path: (path / "zarr.json").unlink(), 100),
    "its document is no JSON": (lambda path: (path / "zarr.json").write_text("{") and None, 100),
    "its chunks are cut": (overwrite(lambda data: data[:7]), None),
    "its chunks are empty": (overwrite(lambda _: b""), None),
    "its chunks are noise": (overwrite(lambda data: bytes(range(256)) * 4), None),
}
"""What happens, and what is shown then of what was not read before; None: that it failed."""


def pyramid(folder: Path) -> None:
    for level in range(LEVELS):
        write(folder / str(level), 100, shape=(SIDE >> level,) * 2)


def middle(picture: np.ndarray) -> int:
    return int(picture[picture.shape[0] // 2, picture.shape[1] // 2, 0])


CASES = [(change, with_zarr) for change in CHANGES] + [
    ("its folder is gone", with_tensorstore),
    ("it is cut otherwise", with_tensorstore),
    ("its chunks are empty", with_tensorstore),
]


@pytest.mark.parametrize(("change", "opened_by"), CASES)
def test_what_is_shown_of_a_store_that_changes(
    viewer, look_at, screenshot, tmp_path, change, opened_by
) -> None:
    """Once, of an array whose folder was gone: zeros, as of chunks that were never written."""
    pyramid(tmp_path)
    levels = [opened_by(tmp_path / str(level)) for level in range(LEVELS)]
    layer = OctreeImage(levels, config=CONFIG, contrast_limits=(0, 255))
    layer.display.show_failed = layer.display.show_loading = False
    viewer.add_layer(layer)
    look_at(viewer, (100, 100), 2)
    assert layer.wait_until_settled(30)
    finest = tmp_path / "0"
    apply, shown = CHANGES[change]
    apply(finest)
    look_at(viewer, (SIDE - 100, SIDE - 100), 2)
    if shown is None:
        assert not layer.wait_until_settled(30)
        assert layer.progress.failed
        assert not layer.progress.loading
    else:
        assert layer.wait_until_settled(30)
    assert middle(screenshot(viewer)) == (shown or 100)  # coarser pixels stand in for what failed
    if finest.exists():
        shutil.rmtree(finest)
    write(finest, 150)
    layer.reload()
    assert layer.wait_until_settled(30)
    assert middle(screenshot(viewer)) == 150


def test_an_ome_zarr_that_is_gone_has_failed(viewer, look_at, tmp_path) -> None:
    folder = tmp_path / "a.ome.zarr"
    pyramid(folder)
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [2.0**level] * 2}],
        }
        for level in range(LEVELS)
    ]
    axes = [{"name": name, "type": "space"} for name in "yx"]
    group = zarr.open_group(folder, mode="a")
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [{"axes": axes, "datasets": datasets}],
    }
    (layer,) = open_ome_zarr(folder)
    layer.config = CONFIG
    viewer.add_layer(layer)
    look_at(viewer, (100, 100), 2)
    assert layer.wait_until_settled(30)
    shutil.rmtree(folder)
    look_at(viewer, (SIDE - 100, SIDE - 100), 2)
    assert not layer.wait_until_settled(30)
    assert layer.progress.failed
