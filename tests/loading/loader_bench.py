"""A loader on a virtual clock, tiles to ask it for, and what servers answer instead."""

import urllib.error
from dataclasses import dataclass, field
from email.message import Message

import numpy as np

from napari_octree.loading import ChunkLoader, LoadedTile, TileRequest
from napari_octree.loading.testing import VirtualClock, VirtualExecutor
from napari_octree.octree.chunk_key import Tier
from napari_octree.sources.protocol import LevelSource


def request(source, row, column, *, size=8, apron=1, tier=Tier.IDEAL, relative_level=0, key=None):
    """One tile of a two-dimensional source."""
    height, width = source.shape
    region = (
        (row * size, min((row + 1) * size, height)),
        (column * size, min((column + 1) * size, width)),
    )
    return TileRequest(
        key=(source.key, row, column) if key is None else key,
        source=LevelSource(source, (None, None)),
        region=region,
        apron=(apron, apron),
        hint=(size, size),
        finish=np.ascontiguousarray,
        tier=tier,
        relative_level=relative_level,
    )


def expected(source, tile_request):
    """The tile's block with a complete apron, the slow obvious way."""
    whole = source.pixels_at(tuple((0, n) for n in source.shape))
    padded = np.pad(whole, [(a, a) for a in tile_request.apron], mode="edge")
    return padded[
        tuple(
            slice(start, stop + 2 * a)
            for (start, stop), a in zip(tile_request.region, tile_request.apron, strict=True)
        )
    ]


def http_error(status, retry_after=None):
    headers = Message()
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return urllib.error.HTTPError("http://here", status, "no", headers, None)


def take_all(client):
    tiles = []
    while (tile := client.take()) is not None:
        tiles.append(tile)
    return tiles


@dataclass
class Bench:
    """A loader whose time and reads are in the test's hands."""

    loader: ChunkLoader
    clock: VirtualClock
    executor: VirtualExecutor
    wakes: int = 0
    clients: list = field(default_factory=list)

    def open(self):
        client = self.loader.open(self._wake)
        self.clients.append(client)
        return client

    def _wake(self):
        self.wakes += 1

    def run(self, client, seconds=0.05) -> list[LoadedTile]:
        """Let everything finish that can without waiting; return what was delivered."""
        tiles = take_all(client)
        while self.executor.finish(seconds=seconds) is not None:
            tiles += take_all(client)
        return tiles + take_all(client)
