"""The zarr that is written: arrays of a plan, which shards are done, and the attributes, last.

Invariants: until all is written the group says so (`UNFINISHED`) and has no OME attributes: what
was interrupted is never taken for a whole pyramid. A shard that is in the store is whole (zarr
writes it under another name first). Goes to other processes as a path.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, ZstdCodec
from zarr.storage import LocalStore

from napari_octree.sources.ome_zarr.plain import UNFINISHED
from napari_octree.sources.protocol import Region
from napari_octree.sources.stores.own_codecs import own_codecs
from napari_octree.writing.errors import WritingError, written_to
from napari_octree.writing.ome_attributes import level_path, zarr_format
from napari_octree.writing.pyramid_plan import PyramidPlan

EMPTY = ("zarr.json", ".zgroup", ".zattrs")
"""All that a group without arrays has."""


@dataclass(frozen=True)
class Target:
    """A folder that holds a pyramid, or will.

    Attributes
    ----------
    path : str
    plan : PyramidPlan
    dtype : str
    version : str
        Of OME-Zarr.
    sharded : bool
        Chunks lie in shards; 0.4 knows none.
    """

    path: str
    plan: PyramidPlan
    dtype: str
    version: str
    sharded: bool

    def create(self, recipe: dict[str, Any], axes: str, overwrite: bool) -> bool:
        """Make the group and its arrays, or find them half written.

        Parameters
        ----------
        recipe : dict
            What is built from what; an interrupted build goes on only if it is the same.
        axes : str
        overwrite : bool
            Delete whatever pyramid is there.

        Returns
        -------
        bool
            Whether there is anything left to do.

        Raises
        ------
        WritingError
            There is something else, which is left alone.
        """
        folder = Path(self.path)
        if folder.exists() and not overwrite:
            state = self._state(recipe)
            if state == "finished":
                return False
            if state == "unfinished":
                self._sweep()
            elif state == "other" or (folder.is_dir() and any(folder.iterdir())):
                raise WritingError(
                    f"{folder}: there is something else already. Choose another name, or "
                    "overwrite it"
                )
            if not folder.is_dir():
                raise WritingError(f"{folder}: is a file")
        if folder.exists() and overwrite:
            if folder.is_dir() and any(folder.iterdir()) and not _is_zarr(folder):
                raise WritingError(f"{folder}: is no zarr: it is not overwritten")
            shutil.rmtree(folder.resolve())
        with written_to(folder):
            group = zarr.open_group(self.path, mode="a", zarr_format=self._format)
            group.attrs.update({UNFINISHED: recipe})
            there = set(group.array_keys())
            for number in range(len(self.plan.levels)):
                if level_path(number) not in there:
                    self._create_level(group, number, axes)
        return True

    def array(self, number: int) -> zarr.Array:
        """Open the array of a level."""
        # Arrays are configured when they are opened: zarr 3.0 has no other way.
        with own_codecs(), zarr.config.set({"array.write_empty_chunks": True}):
            return zarr.open_array(
                LocalStore(self.path), path=level_path(number), mode="r+", zarr_format=self._format
            )

    def shards(self, number: int) -> Iterator[Region]:
        """Boxes of a level that are written at once."""
        shape = self.plan.levels[number].shape
        ranges = [range(0, n, s) for n, s in zip(shape, self.plan.shard, strict=True)]
        for start in itertools.product(*ranges):
            yield tuple(
                (a, min(a + s, n)) for a, s, n in zip(start, self.plan.shard, shape, strict=True)
            )

    def is_written(self, number: int, region: Region, array: zarr.Array) -> bool:
        """Whether a box of `shards` is in the store, whole."""
        unit = array.shards or array.chunks
        ranges = [
            range(start // n, -(-stop // n)) for (start, stop), n in zip(region, unit, strict=True)
        ]
        folder = Path(self.path, level_path(number))
        return all(
            (folder / array.metadata.encode_chunk_key(index)).exists()
            for index in itertools.product(*ranges)
        )

    def finish(self, attributes: dict[str, Any], recipe: dict[str, Any]) -> None:
        """Write the attributes: from now on it is a whole pyramid."""
        with written_to(self.path):
            self._sweep()  # a cluster's worker may have been killed, and its task done by another
            group = zarr.open_group(self.path, mode="r+", zarr_format=self._format)
            group.attrs.put({**attributes, f"{UNFINISHED}-done": recipe})

    def _sweep(self) -> None:
        """Remove what killed processes had begun to write."""
        for left in Path(self.path).rglob("*.partial"):
            left.unlink(missing_ok=True)

    @property
    def _format(self) -> Any:
        return zarr_format(self.version)

    def _state(self, recipe: dict[str, Any]) -> str | None:
        try:
            group = zarr.open_group(self.path, mode="r", zarr_format=self._format)
            attributes = dict(group.attrs)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        wanted = json.loads(json.dumps(recipe))
        if attributes.get(f"{UNFINISHED}-done") == wanted:
            return "finished"
        if attributes.get(UNFINISHED) == wanted:
            return "unfinished"
        if not attributes and all(
            p.suffix == ".partial" or p.name in EMPTY for p in Path(self.path).iterdir()
        ):
            return "unfinished"  # killed before it could say so
        return "other"

    def _create_level(self, group: zarr.Group, number: int, axes: str) -> None:
        shape = self.plan.levels[number].shape
        chunk = tuple(min(c, n) for c, n in zip(self.plan.chunk, shape, strict=True))
        options: dict[str, Any] = {}
        if self._format == 3:
            options["dimension_names"] = list(axes)
            options["compressors"] = ZstdCodec(level=3)
            options["serializer"] = BytesCodec() if np.dtype(self.dtype).itemsize > 1 else "auto"
            if self.sharded:
                options["shards"] = tuple(
                    c * -(-min(s, n) // c)
                    for c, s, n in zip(chunk, self.plan.shard, shape, strict=True)
                )
        else:
            options["chunk_key_encoding"] = {"name": "v2", "separator": "/"}
        with own_codecs():
            group.create_array(
                level_path(number),
                shape=shape,
                chunks=chunk,
                dtype=np.dtype(self.dtype),
                fill_value=0,
                overwrite=True,
                **options,
            )


def label_path(path: str, name: str) -> str:
    """Where the label image of that name goes."""
    return str(Path(path, "labels", name))


def write_list_of_labels(path: str, version: str, names: list[str] | None) -> None:
    """Write the group in which an image's label images lie; None: which says nothing yet."""
    folder: Any = str(Path(path, "labels"))
    with written_to(folder):
        group = zarr.open_group(folder, mode="a", zarr_format=zarr_format(version))  # type: ignore[arg-type]
        if names is not None:
            said: dict[str, Any] = {"labels": names}
            group.attrs.put(said if version == "0.4" else {"ome": {"version": version, **said}})


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))
