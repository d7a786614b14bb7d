"""Playing a trace with figures: frames, gaps between them, reads, and when all was loaded.

Invariants: main thread; counters are differences of the statistics before and after, so several
traces can be played one after the other in a viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.viewing.player import TracePlayer
from napari_octree.layers.viewing.trace import Trace
from napari_octree.rendering.canvas.frame_clock import FrameClock


@dataclass(frozen=True)
class ReplayFigures:
    """What a replay cost.

    Attributes
    ----------
    steps : int
    trace_s, played_s : float
        As it was recorded (at the speed asked for), and as it went.
    frames : int
        Until all was loaded.
    gap_median_ms, gap_p95_ms, gap_longest_ms : float
        Between frames, until that of the last step.
    settled : bool
    settled_ms : float or None
        After the last step; None if it did not settle in time.
    reads, read_bytes, retries, failures : int
        Storage chunks that arrived, their decoded bytes, reads tried again, chunks that failed.
    cancelled : int
        Chunks that left the view before their read began.
    uploads, upload_bytes : int
    upload_ms : float
    cached_bytes, vram_bytes : int
        At the end.
    """

    steps: int
    trace_s: float
    played_s: float
    frames: int
    gap_median_ms: float
    gap_p95_ms: float
    gap_longest_ms: float
    settled: bool
    settled_ms: float | None
    reads: int
    read_bytes: int
    retries: int
    failures: int
    cancelled: int
    uploads: int
    upload_bytes: int
    upload_ms: float
    cached_bytes: int
    vram_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """A table for people."""
        settled = "not in time" if self.settled_ms is None else f"{self.settled_ms:.0f} ms"
        rows = (
            ("Steps", f"{self.steps} in {self.played_s:.2f} s (recorded: {self.trace_s:.2f} s)"),
            ("Frames", f"{self.frames}"),
            ("Gaps", f"median {self.gap_median_ms:.1f} ms, 95% below {self.gap_p95_ms:.1f} ms, "
                     f"longest {self.gap_longest_ms:.1f} ms"),
            ("Settled after", settled),
            ("Reads", f"{self.reads} chunks, {self.read_bytes / 2**20:.1f} MiB; {self.cancelled} "
                      f"never read, {self.retries} retried, {self.failures} failed"),
            ("Uploads", f"{self.uploads} tiles, {self.upload_bytes / 2**20:.1f} MiB, "
                        f"{self.upload_ms:.0f} ms"),
            ("Memory", f"{self.cached_bytes / 2**20:.0f} MiB, graphics "
                       f"{self.vram_bytes / 2**20:.0f} MiB"),
        )  # fmt: skip
        return "\n".join(f"{name:<14}{text}" for name, text in rows)


def replay(viewer: Any, trace: Trace, speed: float = 1.0, timeout: float = 120) -> ReplayFigures:
    """Play a trace in a viewer and wait until all of the last view is loaded.

    Parameters
    ----------
    viewer : napari.Viewer
        With the layers of the trace.
    trace : Trace
    speed : float
        2 plays it in half of the time.
    timeout : float
        Seconds to wait for the last view.
    """
    layers = [layer for layer in viewer.layers if isinstance(layer, OctreeLayer)]
    if not layers:
        raise ValueError("there is no octree layer to play a trace with")
    player = TracePlayer(viewer, trace, speed)
    before = _Counts.of(layers)
    clock = FrameClock(layers[0])
    try:
        start = perf_counter()
        wait = player.show(0.0)
        while wait is not None:
            MAIN_LOOP.run_until(lambda: False, wait)
            wait = player.show(perf_counter() - start)
        end = perf_counter()
        deadline = end + timeout
        waited = [
            layer.wait_until_settled(max(deadline - perf_counter(), 0))
            for layer in layers
            if layer.visible
        ]
        settled = all(waited)
        settled_at = perf_counter()
        times = np.array(clock.times)
    finally:
        clock.close()
    spent = _Counts.of(layers) - before
    moving = times[: np.searchsorted(times, end) + 1]  # and the frame of the last step
    gaps = np.diff(moving) * 1000 if len(moving) > 1 else np.zeros(1)
    return ReplayFigures(
        steps=len(trace.steps),
        trace_s=trace.duration / speed,
        played_s=end - start,
        frames=len(times),
        gap_median_ms=float(np.median(gaps)),
        gap_p95_ms=float(np.percentile(gaps, 95)),
        gap_longest_ms=float(gaps.max()),
        settled=settled,
        settled_ms=(settled_at - end) * 1000 if settled else None,
        **asdict(spent),
        cached_bytes=int(layers[0].statistics.loader["cached_bytes"]),
        vram_bytes=sum(v.vram_bytes for layer in layers for v in layer.statistics.views),
    )


@dataclass(frozen=True)
class _Counts:
    """Counters that only grow."""

    reads: int
    read_bytes: int
    retries: int
    failures: int
    cancelled: int
    uploads: int
    upload_bytes: int
    upload_ms: float

    @classmethod
    def of(cls, layers: Sequence[OctreeLayer]) -> _Counts:
        loader = layers[0].statistics.loader
        sources = loader["sources"].values()
        views = [view for layer in layers for view in layer.statistics.views]
        return cls(
            reads=sum(s["reads"] for s in sources),
            read_bytes=sum(s["nbytes"] for s in sources),
            retries=sum(s["retries"] for s in sources),
            failures=sum(s["failures"] for s in sources),
            cancelled=loader["cancelled"],
            uploads=sum(v.uploads for v in views),
            upload_bytes=sum(v.upload_bytes for v in views),
            upload_ms=sum(v.upload_ms for v in views),
        )

    def __sub__(self, other: _Counts) -> _Counts:
        own, others = asdict(self), asdict(other)
        return _Counts(**{name: own[name] - others[name] for name in own})
