"""The interpreter ends in mid load, whoever reads: soon, with status 0, no traceback of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

BEGIN = """
import socket, sys
import numpy as np
from napari_octree import OctreeConfig
from napari_octree.loading import Pace, default_loader
from loading.loader_bench import request

def waits() -> None:
    # The test has what it waits for: another end of this connection, which never answers.
    with socket.create_connection({address}) as connection:
        connection.recv(1)
"""
SOURCES = {
    "tensorstore": """
import tensorstore
from napari_octree.sources.arrays.tensorstore_array import wrap_tensorstore

url = "http://{host}:{port}/"
metadata = dict(shape=[32, 40], chunks=[8, 8], dtype="|u1", compressor=None, filters=None)
metadata |= dict(order="C", fill_value=0, zarr_format=2)
spec = dict(driver="zarr", kvstore=dict(driver="http", base_url=url), metadata=metadata)
array = tensorstore.open(spec, open=True, assume_metadata=True, read=True).result()
source, executor = wrap_tensorstore(array), "threads"
""",
    "dask array": """
import dask.array as da
from napari_octree.sources.arrays.dask_array import wrap_dask

def block(block_id=None):
    waits()
    return np.zeros((8, 8), np.uint8)

blocks = da.map_blocks(block, chunks=((8,) * 4, (8,) * 5), meta=np.zeros((0, 0), np.uint8))
source = wrap_dask(blocks)
executor = "threads"
""",
    "dask cluster": """
from distributed import Client, LocalCluster
from loading.test_exits import Waiting
from napari_octree.loading.testing import SimulatedSource

cluster = LocalCluster(
    n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
)
client = Client(cluster)
source, executor = SimulatedSource((32, 40), (8, 8), error=Waiting({address})), "dask"
""",
}
LOAD = """
config = OctreeConfig(loader_defaults=dict(executor=executor))
reader = default_loader(config).open(lambda: None)
reader.replace([request(source, r, c) for r in range(4) for c in range(5)])
reader.pace = Pace.STEADY
sys.stdin.readline()
"""


class Waiting:
    """A read that has begun, and does not end (goes to a worker as it is)."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    def __call__(self, region: object) -> None:
        with socket.create_connection(self.address) as connection:
            connection.recv(1)


@pytest.fixture
def gate() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(100)
        yield server


@pytest.mark.parametrize("kind", list(SOURCES))
def test_it_ends_soon(kind: str, gate: socket.socket) -> None:
    pytest.importorskip({"tensorstore": "tensorstore"}.get(kind, "distributed"))
    host, port = address = gate.getsockname()
    script = (BEGIN + SOURCES[kind] + LOAD).format(address=address, host=host, port=port)
    tests = __file__.rsplit("loading", 1)[0]
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)])},
    ) as child:
        try:
            reading, _ = gate.accept()
            with reading:
                printed, _ = child.communicate("go\n", timeout=60)
        finally:
            child.kill()
    assert child.returncode == 0, printed
    if kind == "dask cluster":  # which logs what its own tasks and connections end with
        assert f"napari_octree{os.sep}" not in printed, printed  # a file of ours in a traceback
    else:
        assert printed == ""
