"""Opening a store by its address: folder, zip file, http(s), s3, gs, az, and what fsspec knows.

obstore is taken where it is installed and can do what is asked: it opens three times as fast as
fsspec, keeps its connections, and costs less of the interpreter. fsspec takes the rest.

Invariants: nothing is listed and nothing is fetched here; secrets go to the libraries and nowhere
else: neither into the store's address nor into errors.
"""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import zarr
from zarr.storage import FsspecStore, LocalStore, ZipStore

from napari_octree.sources.errors import SourceError, told
from napari_octree.sources.stores.address import (
    as_address,
    local_path,
    secrets_in,
    shown,
    without_secrets,
)
from napari_octree.sources.stores.addressed_store import AddressedStore, open_addressed
from napari_octree.sources.stores.byte_store import ByteStore, LocalBytes, ObstoreBytes, ZarrBytes
from napari_octree.sources.stores.credentials import obstore_settings
from napari_octree.sources.stores.remote_zip import RemoteZipStore, open_remote_zip

ZIP_ENDINGS = (".zip", ".ozx")
_QUERY_NAMES_A_PATH = re.compile(r"\.zarr/?$").search
"""As of a proxy (``?path=image.zarr``): names are put after it."""


def open_bytes(where: str | os.PathLike[str], **storage_options: Any) -> ByteStore:
    """Open the store at a path or address, for objects by name.

    Parameters
    ----------
    where : str or path-like
    **storage_options
        As fsspec takes them (`anon`, `key`, `secret`, `profile`, `endpoint_url`, `token`,
        `headers`, …).

    Raises
    ------
    SourceError
        There is no such file or folder, or no library for such an address.
    """
    path = local_path(where)
    if path is not None:
        return _open_local(path, os.fspath(where))
    return _told(os.fspath(where), storage_options, _open_obstore_or_fsspec)


def open_by_fsspec(address: str, **storage_options: Any) -> ByteStore:
    """Open the store at an http address as `open_bytes` does, but not by obstore.

    It refuses servers that do not say how long their answers are.

    Raises
    ------
    SourceError
    """
    return _told(address, storage_options, _open_plain)


def _told(
    address: str, options: Mapping[str, Any], opener: Callable[[str, Mapping[str, Any]], ByteStore]
) -> ByteStore:
    """Open a store; what goes wrong is told without secrets."""
    try:
        return opener(address, options)
    except ImportError as error:
        raise SourceError(
            f"{shown(address)}: cannot be opened: {error}; "
            "`pip install napari-octree[remote]` may help"
        ) from error
    except SourceError:
        raise
    except Exception as error:  # of any library
        message = without_secrets(told(error), secrets_in(address, options))
        raise SourceError(f"{shown(address)}: cannot be opened as zarr: {message}") from None


def open_archive(address: str, **storage_options: Any) -> RemoteZipStore | None:
    """Open the zip archive at an address on a network; None if there is none of that name.

    Raises
    ------
    SourceError
        It is no archive, or cannot be reached.
    """
    from zarr.core.sync import sync

    parts = urlsplit(address)
    if parts.query:  # signed, or as Zenodo has them
        base, name = _open_plain(address, storage_options), ""
    else:
        folder, _, name = address.rstrip("/").rpartition("/")
        base, name = open_bytes(folder, **storage_options), unquote(name)
    place = base.as_zarr()
    store = place.store if isinstance(place, zarr.storage.StorePath) else place
    found: RemoteZipStore | None = sync(open_remote_zip(store, name, as_address(address)))
    return found


def bytes_of(store: Any, prefix: str = "", address: str | None = None) -> ByteStore:
    """Return the byte store of a zarr store that somebody has opened."""
    if isinstance(store, LocalStore):
        return LocalBytes(Path(store.root, prefix))
    if isinstance(store, FsspecStore):
        file_system = getattr(store.fs, "sync_fs", store.fs)
        protocol = file_system.protocol
        if "file" in (protocol if isinstance(protocol, tuple) else (protocol,)):
            return LocalBytes(Path(store.path, prefix))
        own = as_address(str(store.fs.unstrip_protocol(store.path)))
        return ZarrBytes(store, prefix, address or own, is_far=True)
    if isinstance(store, AddressedStore):
        return ObstoreBytes(store, prefix)
    near = isinstance(store, ZipStore | zarr.storage.MemoryStore)
    return ZarrBytes(store, prefix, address or f"{store}", is_far=not near)


def _open_local(path: Path, where: str) -> ByteStore:
    if not path.exists():
        raise SourceError(f"{where}: there is no such file or folder")
    if path.is_dir():
        return LocalBytes(path)
    if path.suffix not in ZIP_ENDINGS:
        raise SourceError(f"{where}: a file, not a zarr folder")
    try:
        store = ZipStore(path, mode="r")
        store._sync_open()
    except Exception as error:  # of a damaged archive zipfile raises what struct and codecs raise
        kind = type(error).__name__
        raise SourceError(f"{where}: cannot be opened as a zip file: {kind}: {error}") from error
    return ZarrBytes(store, "", str(path), is_far=False)


def _open_obstore_or_fsspec(address: str, options: Mapping[str, Any]) -> ByteStore:
    parts = urlsplit(address)
    if parts.query and parts.scheme in ("http", "https") and not _QUERY_NAMES_A_PATH(parts.query):
        from napari_octree.sources.stores.plain_http import open_http_folder

        return ZarrBytes(open_http_folder(address, options), "", as_address(address), is_far=True)
    store = _open_obstore(address, options)
    return _open_fsspec(address, options) if store is None else ObstoreBytes(store)


def _open_obstore(address: str, options: Mapping[str, Any]) -> Any:
    """Return zarr's store around one of obstore's; None where fsspec has to do it."""
    if importlib.util.find_spec("obstore") is None or "::" in address:
        return None
    if urlsplit(address).query or urlsplit(address).fragment:
        return None
    settings = obstore_settings(address, options)
    if settings is None:
        return None
    return open_addressed(as_address(address), settings)


def _open_plain(address: str, options: Mapping[str, Any]) -> ByteStore:
    from napari_octree.sources.stores.plain_http import open_plain_http

    return ZarrBytes(open_plain_http(address, options), "", as_address(address), is_far=True)


def _open_fsspec(address: str, options: Mapping[str, Any]) -> ByteStore:
    storage_options = dict(options) or None
    with warnings.catch_warnings():  # of file systems that are not asynchronous
        warnings.simplefilter("ignore", UserWarning)  # zarr 3.1.1 has no class of its own for it
        store = FsspecStore.from_url(address, storage_options=storage_options, read_only=True)
    return ZarrBytes(store, "", as_address(address), is_far=True)
