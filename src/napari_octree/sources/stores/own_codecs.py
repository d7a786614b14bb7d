"""zarr-python's own codecs for the arrays that we make, whatever the process has chosen.

Some libraries switch zarr to another pipeline of codecs for the whole process when they are first
used (iohub to zarrs). Others know fewer types of pixels and fewer stores, take no bounds for what
they unpack, and write other bytes.

Invariants: an array keeps the pipeline that it was made with; the process's own choice is the same
afterwards, also when several threads make arrays at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import zarr

OWN = {"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def own_codecs() -> Iterator[None]:
    """Make arrays of zarr with its own codecs meanwhile (any thread)."""
    if zarr.config.get("codec_pipeline.path", None) == OWN["codec_pipeline.path"]:
        yield
        return
    with _ONE_AT_A_TIME, zarr.config.set(OWN):
        yield
