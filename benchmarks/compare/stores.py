"""Where pixels come from, and what was read of them.

Invariants: a store of the same name holds the same pixels for every peer; chunks are counted
outside of what is measured: by the server's process, or by a wrapper of a local store; of local
files that our layers read by readers of their own, by their loader. Bytes of local files are those
that the system has handed to the process. Far stores are a real HTTP server in a process of its
own, which answers after a latency, and at a limited rate where the name says so. Nobody stores
"computed".
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import zarr
from benchmarks.compare.computed import ComputedLevel, computed_plane
from zarr.abc.store import Store as ZarrStore
from zarr.storage import FsspecStore, LocalStore, WrapperStore

READERS = 16
"""Threads of the raw read: as many as our layers use by default."""

NAMES = (
    *("ram", "disk", "http-50ms", "sharded", "http-300ms", "http-20ms-4MBps"),
    *("dask", "tiff", "computed"),
)

PLATE = "plate.zarr"


@dataclass(frozen=True)
class Reads:
    """What was asked of a store: chunks, and bytes as stored (None: nobody counts)."""

    chunks: int | None = None
    nbytes: int | None = None

    def since(self, before: Reads) -> Reads:
        """Return what was read since then."""
        if self.chunks is None or before.chunks is None:
            return self
        return Reads(self.chunks - before.chunks, (self.nbytes or 0) - (before.nbytes or 0))


class CountingStore(WrapperStore[ZarrStore]):
    """Counts what is read of chunks, not of metadata."""

    def __init__(self, store: ZarrStore) -> None:
        super().__init__(store)
        self._lock = threading.Lock()
        self.chunks = 0

    def _with_store(self, store: ZarrStore) -> CountingStore:
        return type(self)(store)

    async def get(self, key: str, *args: Any, **keywords: Any) -> Any:
        """Read and count."""
        value = await self._store.get(key, *args, **keywords)
        if value is not None and not key.endswith("zarr.json"):
            with self._lock:
                self.chunks += 1
        return value


def bytes_read() -> int:
    """Return what this process has read so far, of files."""
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


def chunks_loaded() -> int:
    """Return how many chunks our layers of the default configuration have read so far."""
    from napari_octree import OctreeConfig
    from napari_octree.loading.loader import default_loader

    return default_loader(OctreeConfig()).statistics.reads


class Opened:
    """The levels of one array, finest first, and what was read of them.

    Attributes
    ----------
    levels : list
    latency_ms : float
    path : Path or None
        Of a file that our layers open by themselves.
    address : str or None
        Of a plate, which has no levels of its own.
    """

    def __init__(self, levels: list[Any], latency_ms: float = 0.0) -> None:
        self.levels = levels
        self.latency_ms = latency_ms
        self.path: Path | None = None
        self.address: str | None = None
        self.counters: list[CountingStore] = []
        self.is_ours = False
        """Our layers read files by readers of their own: they tell how many chunks."""
        self.server: Server | None = None

    def reads(self) -> Reads:
        """Return what was read so far."""
        if self.server is not None:
            return self.server.reads()
        if self.levels and isinstance(self.levels[0], ComputedLevel):
            return Reads(
                sum(level.read_chunks for level in self.levels),
                sum(level.read_bytes for level in self.levels),
            )
        if self.is_ours:
            return Reads(chunks_loaded(), bytes_read())
        if self.counters:
            return Reads(sum(c.chunks for c in self.counters), bytes_read())
        return Reads()

    def raw_ms(self, chunks: Sequence[tuple[int, tuple[slice, ...]]]) -> float:
        """Milliseconds in which a plain thread pool reads these regions, each of one level."""
        started = perf_counter()
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(lambda chunk: np.asarray(self.levels[chunk[0]][chunk[1]]), chunks))
        return 1000 * (perf_counter() - started)


class Server:
    """Serves a folder over HTTP from a process of its own."""

    def __init__(
        self, folder: Path, latency_ms: float, bytes_per_s: float, failing: float = 0.0
    ) -> None:
        script = Path(__file__).parents[1] / "http_store.py"
        numbers = [f"{latency_ms}", f"{bytes_per_s}", f"{failing}"]
        words = [sys.executable, str(script), str(folder), *numbers]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def reads(self) -> Reads:
        """Return what it served of chunks so far."""
        with urllib.request.urlopen(f"{self.url}/reads") as answer:
            return Reads(*json.loads(answer.read()))

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()


def _numbered(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if p.name.isdigit()), key=lambda p: int(p.name))


@contextmanager
def opened(name: str, folder: Path, peer: str) -> Iterator[Opened]:
    """Open the levels `0`, `1`, … in a folder as the store of this name shows them.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    folder : Path
        Holds the levels as zarr arrays, those of "sharded" in ``sharded/``, and the TIFF
        ``levels.tif``; or the plate ``plate.zarr``.
    peer : str
        "ours-tensorstore" gets tensorstore arrays where these can be read.
    """
    paths = _numbered(folder / "sharded" if name == "sharded" else folder)
    if name.startswith("http"):
        latency, _, rate = name.removeprefix("http-").partition("-")
        latency_ms = float(latency.removesuffix("ms"))
        bytes_per_s = 1e6 * float(rate.removesuffix("MBps")) if rate else 0.0
        server = Server(folder, latency_ms, bytes_per_s)
        try:
            levels: list[Any] = []
            address = None
            if (folder / PLATE).exists():
                address = f"{server.url}/{PLATE}"
            elif peer == "ours-tensorstore":
                levels = [_tensorstore(f"{server.url}/{path.name}/") for path in paths]
            else:
                levels = [
                    zarr.open_array(FsspecStore.from_url(f"{server.url}/{path.name}"), mode="r")
                    for path in paths
                ]
            far = Opened(levels, latency_ms)
            far.server, far.address = server, address
            yield far
        finally:
            server.close()
        return
    if (folder / PLATE).exists():
        plate = Opened([])
        plate.address = str(folder / PLATE)
        yield plate
        return
    if name == "tiff":
        import tifffile

        path = folder / "levels.tif"
        with tifffile.TiffFile(path) as file:
            group = zarr.open(file.aszarr(), mode="r")
            levels = [group[key] for key in sorted(group.array_keys(), key=int)]
            slide = Opened(levels)
            slide.path, slide.is_ours = path, peer == "ours"
            yield slide
        return
    if name == "computed":
        size = zarr.open_array(LocalStore(paths[0], read_only=True), mode="r").shape[-1]
        yield Opened(list(computed_plane(size)))
        return
    counters = [CountingStore(LocalStore(path, read_only=True)) for path in paths]
    arrays = [zarr.open_array(counter, mode="r") for counter in counters]
    if name == "ram":
        yield Opened([array[:] for array in arrays])
    elif name == "dask":
        import dask.array as da

        local = Opened([da.from_zarr(array) for array in arrays])
        local.counters = counters
        yield local
    elif peer == "ours-tensorstore":
        yield Opened([_tensorstore(path.resolve().as_uri()) for path in paths])
    elif peer.startswith("ours"):
        # As a user gives them: a wrapper would hide from us that the files are local.
        bare = Opened(
            [zarr.open_array(LocalStore(path, read_only=True), mode="r") for path in paths]
        )
        bare.is_ours = peer == "ours"
        yield bare
    else:
        local = Opened(list(arrays))
        local.counters = counters
        yield local


def _tensorstore(url: str) -> Any:
    import tensorstore

    return tensorstore.open({"driver": "zarr3", "kvstore": url}, open=True, read=True).result()
