"""Meters of loading and drawing: bars and numbers, a few times a second.

Invariants: GUI thread. Rates are differences of two snapshots of the statistics, so nothing is
measured for the meters' sake; hidden meters ask for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtWidgets import QFormLayout, QLabel, QProgressBar, QWidget

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.views.statistics import ViewStatistics
from napari_octree.loading import LoaderStatistics, PoolStatistics
from napari_octree.qt.desk.subjects.subject import human_size
from napari_octree.rendering.canvas.frame_clock import FrameClock, canvas_of
from napari_octree.rendering.gpu.vram import VRAM

FRAME_MS = 1000 / 60


@dataclass(frozen=True)
class Reading:
    """One look at the counters of a layer.

    Attributes
    ----------
    time : float
        Seconds, of any clock.
    reads, nbytes, uploads, frames, cancelled : int
    upload_ms : float
    """

    time: float
    reads: int = 0
    nbytes: int = 0
    uploads: int = 0
    frames: int = 0
    cancelled: int = 0
    upload_ms: float = 0.0

    @classmethod
    def of(cls, time: float, loader: LoaderStatistics, views: Sequence[ViewStatistics]) -> Reading:
        """Sum up what was counted."""
        return cls(
            time,
            loader.reads,
            loader.nbytes,
            sum(view.uploads for view in views),
            sum(view.frames for view in views),
            loader.cancelled,
            sum(view.upload_ms for view in views),
        )


class Meters(QWidget):
    """Bars and numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        form = QFormLayout(self)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.frame, self.upload = QProgressBar(), QProgressBar()
        self.ram, self.vram = QProgressBar(), QProgressBar()
        self.frame.setToolTip("What drawing a frame takes, of a frame at 60 Hz")
        self.upload.setToolTip("Milliseconds of uploads in a frame, of a frame at 60 Hz")
        self.ram.setToolTip("Chunks and tiles in memory, of the limit for all layers")
        self.vram.setToolTip("Textures of all layers, of the limit for them")
        self.slots, self.reads, self.data = QLabel("–"), QLabel("–"), QLabel("–")
        self.latency, self.cancelled = QLabel("–"), QLabel("–")
        self.slots.setToolTip("Places of this layer's textures, and how many hold a tile")
        self.reads.setToolTip("Chunks that arrive a second, and reads under way")
        self.data.setToolTip("Decoded megabytes that arrive a second")
        self.cancelled.setToolTip("Chunks that left the view before their read began")
        self.latency.setToolTip(
            "Half of the latest reads took less than the first number, 95% less than the second. "
            "A line for each pool of readers: +0 is the level that the screen needs, +2 two "
            "levels coarser"
        )
        for name, widget in (
            ("Frame", self.frame),
            ("Uploads", self.upload),
            ("Memory", self.ram),
            ("Graphics", self.vram),
            ("Slots", self.slots),
            ("Chunks", self.reads),
            ("Data", self.data),
            ("Latency", self.latency),
            ("Never read", self.cancelled),
        ):
            if isinstance(widget, QProgressBar):
                widget.setMinimumWidth(60)
            else:
                widget.setWordWrap(True)  # long numbers never make the dock wider
            form.addRow(name, widget)
        self._last: Reading | None = None
        self._clock: FrameClock | None = None
        self._timed: Any = None

    def show_layer(self, layer: OctreeLayer | None, now: float) -> None:
        """Take a look at a layer's counters at `now`, in seconds."""
        self._time_frames(layer)
        if layer is None:
            self._last = None
            return
        loader = layer.loader.totals  # not of each source: there may be thousands
        views = tuple(view.statistics for view in layer.drawn_views)
        used = loader.cached_bytes + loader.in_flight_bytes + loader.staged_bytes
        _fill(self.ram, used, loader.limit_bytes)
        _fill(self.vram, VRAM.held_bytes, layer.config.memory.vram_bytes)
        resident, slots = sum(v.resident for v in views), sum(v.slots for v in views)
        _say(self.slots, f"{resident:,} of {slots:,}")
        reading = Reading.of(now, loader, views)
        last, self._last = self._last, reading
        if last is not None and reading.time > last.time:
            seconds = reading.time - last.time
            chunks, nbytes = reading.reads - last.reads, reading.nbytes - last.nbytes
            _say(self.reads, f"{chunks / seconds:.0f}/s, {loader.reading} now")
            _say(self.data, f"{nbytes / seconds / 1e6:.1f} MB/s")
            frames = reading.frames - last.frames
            spent = (reading.upload_ms - last.upload_ms) / frames if frames > 0 else 0.0
            _fill_ms(self.upload, spent)
        _say(self.latency, _latency(loader.pools))
        _say(self.cancelled, f"{loader.cancelled:,} chunks")

    def _time_frames(self, layer: OctreeLayer | None) -> None:
        """Show what the frames since the last look took; time those to come."""
        canvas = None if layer is None else canvas_of(layer)
        if canvas is not self._timed:
            self.stop()
            self._timed = canvas
            if layer is not None:
                self._clock = FrameClock(layer)
        clock = self._clock
        if clock is not None and clock.durations:
            _fill_ms(self.frame, 1000 * sum(clock.durations) / len(clock.durations))
            clock.durations.clear()
            clock.times.clear()

    def stop(self) -> None:
        """Time no frames."""
        if self._clock is not None:
            self._clock.close()
        self._clock = self._timed = None


def _latency(pools: Mapping[int, PoolStatistics]) -> str:
    """Recent latencies of each pool of readers."""
    return "\n".join(
        f"+{level}: –"
        if pool.latency_p50_ms is None or pool.latency_p95_ms is None
        else f"+{level}: {_ms(pool.latency_p50_ms)} / {_ms(pool.latency_p95_ms)} ms"
        for level, pool in pools.items()
    )


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _say(label: QLabel, text: str) -> None:
    """Set a text; the same again would lay out the dock anew."""
    if label.text() != text:
        label.setText(text)


def _fill_ms(bar: QProgressBar, spent: float) -> None:
    bar.setRange(0, 100)
    bar.setValue(min(round(100 * spent / FRAME_MS), 100))
    bar.setFormat(f"{spent:.1f} of {FRAME_MS:.1f} ms")


def _fill(bar: QProgressBar, value: float, limit: float) -> None:
    bar.setRange(0, 1000)  # Qt's bars hold 32-bit integers
    bar.setValue(min(round(1000 * value / max(limit, 1)), 1000))
    most, unit = human_size(limit).split(" ")
    used = value * float(most) / max(limit, 1)
    bar.setFormat(f"{used:.{0 if float(most) >= 100 else 2}f} of {most} {unit}")
