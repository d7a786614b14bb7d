"""Small images on real stores of every kind, with the pixels of the huge generated ones.

Invariants: written once, before the walk; pixel ``index`` of a level is that of level 0 at
``index * 2**level`` (see `arrays.value`); the server answers late, and of some chunks the first
requests not at all, by their name and not by the clock.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from benchmarks.compare.stores import Server
from benchmarks.soak.arrays import STEPS

from napari_octree import open_image, open_ome_zarr

SHAPES = {"yx": (1024, 1536), "tyx": (3, 512, 768), "zyx": (64, 256, 256)}
LEVELS = 3


def pixels(axes: str, level: int) -> np.ndarray:
    """All pixels of a level."""
    total = np.zeros((1,) * len(axes), np.int64)
    for place, (axis, n) in enumerate(zip(axes, SHAPES[axes], strict=True)):
        scale = 1 if axis == "t" else 2**level
        along = np.arange(0, n, scale) * STEPS["tzyx".index(axis)]
        total = total + along.reshape([-1 if i == place else 1 for i in range(len(axes))])
    return (total % 127).astype(np.uint8)


class Stores:
    """A folder of them, and a server of it.

    Parameters
    ----------
    failing : float
        Share of chunks whose first two requests the server refuses.
    """

    def __init__(self, failing: float = 0.02) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        for axes in SHAPES:
            self._write(axes)
        self._server = Server(self.folder, 5.0, 0.0, failing)
        self.kinds: dict[str, Callable[[str], Any]] = {
            "RAM": lambda axes: [pixels(axes, level) for level in range(LEVELS)],
            "zarr 3": lambda axes: self._zarr(axes, "zarr3"),
            "zarr 2": lambda axes: self._zarr(axes, "zarr2"),
            "shards": lambda axes: self._zarr(axes, "shards"),
            "memory map": lambda axes: [
                np.load(self.folder / f"{axes}.{level}.npy", mmap_mode="r")
                for level in range(LEVELS)
            ],
            "dask": self._dask,
            "tensorstore": self._tensorstore,
            "HTTP": self._http,
            "OME-Zarr": lambda axes: self._ngff(self.folder, axes),
            "OME-Zarr by HTTP": lambda axes: self._ngff(self._server.url, axes),
            "TIFF": lambda axes: open_image(self.folder / f"{axes}.tif")[0],
        }

    def close(self) -> None:
        """End the server, remove the folder."""
        self._server.close()
        self._folder.cleanup()

    def _write(self, axes: str) -> None:
        import tifffile

        chunks = {"yx": (128, 128), "tyx": (1, 128, 128), "zyx": (32, 64, 64)}[axes]
        ngff = zarr.open_group(self.folder / f"{axes}.ome.zarr", mode="w")
        datasets: list[dict[str, Any]] = []
        for level in range(LEVELS):
            data = pixels(axes, level)
            shards = tuple(2 * c if c > 1 else 1 for c in chunks)
            for name, more in {
                "zarr3": {},
                "zarr2": {"zarr_format": 2},
                "shards": {"shards": shards},
            }.items():
                zarr.create_array(
                    self.folder / name / axes / str(level), data=data, chunks=chunks, **more
                )
            ngff.create_array(str(level), data=data, chunks=chunks)
            np.save(self.folder / f"{axes}.{level}.npy", data)
            scale = [1.0 if axis == "t" else 2.0**level for axis in axes]
            # As for plain lists: pixel j lies where the pixels j·2^level … of level 0 do.
            moved = [(step - 1) / 2 for step in scale]
            places = [
                {"type": "scale", "scale": scale},
                {"type": "translation", "translation": moved},
            ]
            datasets.append({"path": str(level), "coordinateTransformations": places})
        kinds = {"t": "time", "z": "space", "y": "space", "x": "space"}
        image = {
            "axes": [{"name": axis, "type": kinds[axis]} for axis in axes],
            "datasets": datasets,
        }
        ngff.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
        levels = 1 if "z" in axes else LEVELS  # each page has its own coarser levels
        with tifffile.TiffWriter(self.folder / f"{axes}.tif", ome=False) as file:
            for level in range(levels):
                file.write(
                    pixels(axes, level),
                    photometric="minisblack",
                    tile=(128, 128),
                    compression="deflate",
                    subifds=levels - 1 if level == 0 else None,
                    subfiletype=int(level > 0),
                    metadata={"axes": axes.upper()} if level == 0 else None,
                )

    def _zarr(self, axes: str, name: str) -> list[Any]:
        folder = self.folder / name / axes
        return [zarr.open_array(folder / str(level), mode="r") for level in range(LEVELS)]

    def _dask(self, axes: str) -> list[Any]:
        import dask.array as da

        return [da.from_zarr(array) + np.uint8(0) for array in self._zarr(axes, "zarr3")]

    def _ngff(self, place: Path | str, axes: str) -> Any:
        return open_ome_zarr(f"{place}/{axes}.ome.zarr")[0]

    def _http(self, axes: str) -> list[Any]:
        from zarr.storage import FsspecStore

        url = f"{self._server.url}/zarr3/{axes}"
        return [
            zarr.open_array(FsspecStore.from_url(f"{url}/{level}"), mode="r")
            for level in range(LEVELS)
        ]

    def _tensorstore(self, axes: str) -> list[Any]:
        import tensorstore

        levels = []
        for level in range(LEVELS):
            store = {"driver": "file", "path": str(self.folder / "zarr3" / axes / str(level))}
            spec = {"driver": "zarr3", "kvstore": store}
            levels.append(tensorstore.open(spec, open=True, read=True).result())
        return levels
