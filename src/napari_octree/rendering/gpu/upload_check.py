"""Whether an upload costs what it seems to: a driver may copy after the call that asks for it.

Invariants: waits for the GPU, so once per view is enough; GUI thread with a current GL context.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from napari_octree.layers.views.statistics import UploadCheck
from napari_octree.rendering._vispy import GpuTimer, finish_all


def check_upload(upload: Callable[[], None], nbytes: int) -> UploadCheck:
    """Run `upload` with nothing else on its way, and wait until GL has done it.

    Parameters
    ----------
    upload : callable
        Must have reached GL when it returns.
    nbytes : int
    """
    finish_all()
    timer = GpuTimer()
    start = time.perf_counter()
    upload()
    issued = time.perf_counter()
    timer.stop()
    finish_all()
    done = time.perf_counter()
    return UploadCheck(nbytes, (issued - start) * 1e3, (done - start) * 1e3, timer.ms())
