"""Which executor a configuration asks for."""

from __future__ import annotations

from napari_octree.config import OctreeConfig
from napari_octree.loading.executors.dask import DaskExecutor
from napari_octree.loading.executors.executor import Executor
from napari_octree.loading.executors.inline import InlineExecutor
from napari_octree.loading.executors.processes import ProcessExecutor
from napari_octree.loading.executors.threads import ThreadExecutor
from napari_octree.loading.executors.workers import ASSEMBLERS


def executor_of(config: OctreeConfig, num_workers: int) -> Executor:
    """Return the executor that a configuration asks for, for `num_workers` reads at once."""
    defaults = config.loader_defaults
    if defaults.force_synchronous:
        return InlineExecutor()
    # Enough threads that an assembly never waits behind reads that hang.
    threads = num_workers + ASSEMBLERS
    if defaults.executor == "processes":
        return ProcessExecutor(threads)
    if defaults.executor == "dask":
        return DaskExecutor(ASSEMBLERS)
    return ThreadExecutor(threads)
