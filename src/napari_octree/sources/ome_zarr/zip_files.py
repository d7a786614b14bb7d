"""Zarr in zip archives: .ozx (RFC-9), .zarr.zip, and what file managers make of a folder.

Invariants: the content decides, not the name; the central directory is read, nothing else.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zarr.storage import ZipStore

from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.metadata.flaws import warn
from napari_octree.sources.stores.remote_zip import object_name

ROOT_FILES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
LARGEST_METADATA = 64 * 2**20
"""Bytes of a metadata document; one that unpacks to more is taken for an attack."""


class SizedZipStore(ZipStore):
    """An archive that knows the sizes of what is in it, unpacked.

    Parameters
    ----------
    path : Path
    sizes : mapping
        By the objects' names.
    names : mapping
        What objects are called in the archive, as far as that is not their name.
    """

    def __init__(self, path: Path, sizes: Mapping[str, int], names: Mapping[str, str]) -> None:
        super().__init__(path, mode="r")
        self._sizes = dict(sizes)
        self._names = dict(names)

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Read an object, or a part of it."""
        return await super().get(self._names.get(key, key), prototype, byte_range)

    async def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        return key in self._sizes

    def nbytes_of(self, name: str) -> int | None:
        """Bytes of an object once it is read; None if it is not there."""
        return self._sizes.get(name)


def open_zip(path: Path, where: str) -> tuple[ZipStore, str]:
    """Open an archive; also return the path of the zarr inside it ("" at its root).

    Raises
    ------
    SourceError
        It is no archive, or holds no zarr.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise SourceError(f"{where}: a zip archive that cannot be read: {error}") from error
    sizes = {object_name(entry.filename): entry.file_size for entry in entries}
    names = {object_name(e.filename): e.filename for e in entries}
    folder = zarr_folder(sizes, where)
    try:
        return SizedZipStore(path, sizes, {k: v for k, v in names.items() if k != v}), folder
    except Exception as error:  # of a damaged archive zipfile raises what struct and codecs raise
        raise SourceError(f"{where}: a zip archive that cannot be read: {error}") from error


_BELOW_A_FOLDER = tuple(f"/{name}" for name in ROOT_FILES)


def _above(folder: str) -> set[str]:
    parts = folder.split("/")
    return {"/".join(parts[:n]) for n in range(1, len(parts))}


def zarr_folder(names: Mapping[str, int], where: str) -> str:
    """Return the folder in an archive that is zarr, by the names in it; "" for its root.

    Raises
    ------
    SourceError
        There is none, or more than one, or its metadata would be too large.
    """
    for name, size in names.items():
        if size > LARGEST_METADATA and name.rpartition("/")[2] in ROOT_FILES:
            raise SourceError(f"{where}: {name} in it would unpack to {size} bytes of metadata")
    if any(name in names for name in ROOT_FILES):
        return ""
    folders = {name.rpartition("/")[0] for name in names if name.endswith(_BELOW_A_FOLDER)}
    folders = {f for f in folders if not f.startswith("__MACOSX")}
    holding = sorted(f for f in folders if folders.isdisjoint(_above(f)))
    if len(holding) == 1:
        warn(f"{where}: the archive holds the folder {holding[0]}, not the zarr itself")
        return holding[0]
    if holding:
        raise SourceError(
            f"{where}: the archive holds {len(holding)} zarr folders ({', '.join(holding[:5])}), "
            "so it has to be unpacked"
        )
    what = "empty" if not names else "without zarr metadata at its root"
    raise SourceError(f"{where}: not zarr: the archive is {what}")
