"""Meters of loading and drawing: bars and numbers, a few times a second.

Invariants: GUI thread. Rates are differences of two snapshots of the statistics, so nothing is
measured for the meters' sake; hidden meters ask for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtpy.QtWidgets import QFormLayout, QLabel, QProgressBar, QWidget

from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.qt.desk.level_table import human_size
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
    def of(cls, time: float, statistics: dict[str, Any]) -> Reading:
        """Sum up a statistics snapshot (`OctreeStatistics.as_dict()`)."""
        loader, views = statistics["loader"], statistics["views"]
        sources = loader["sources"].values()
        return cls(
            time,
            sum(source["reads"] for source in sources),
            sum(source["nbytes"] for source in sources),
            sum(view["uploads"] for view in views),
            sum(view["frames"] for view in views),
            loader["cancelled"],
            sum(view["upload_ms"] for view in views),
        )


class Meters(QWidget):
    """Bars and numbers."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        form = QFormLayout(self)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.frame, self.upload = QProgressBar(), QProgressBar()
        self.ram, self.vram = QProgressBar(), QProgressBar()
        self.frame.setToolTip("What drawing a frame takes, of a frame at 60 Hz")
        self.upload.setToolTip("Milliseconds of uploads in a frame, of a frame at 60 Hz")
        self.ram.setToolTip("Chunks and tiles in memory, of the limit for all layers")
        self.vram.setToolTip("Textures of all layers, of the limit for them")
        self.slots = QLabel("–")
        self.slots.setToolTip("Places of this layer's textures, and how many hold a tile")
        self.reading, self.latency = QLabel("–"), QLabel("–")
        self.cancelled = QLabel("–")
        self.cancelled.setToolTip("Requests that left the view before their read began")
        self.latency.setToolTip("Of the latest reads: half took less, 95% took less")
        for name, widget in (
            ("Frame", self.frame),
            ("Uploads", self.upload),
            ("Memory", self.ram),
            ("Graphics", self.vram),
            ("Slots", self.slots),
            ("Reading", self.reading),
            ("Latency", self.latency),
            ("Never read", self.cancelled),
        ):
            if isinstance(widget, QLabel):
                widget.setWordWrap(True)
            else:
                widget.setMinimumWidth(60)
            form.addRow(name, widget)
        self._last: Reading | None = None
        self._clock: FrameClock | None = None
        self._timed: Any = None

    def show_layer(self, layer: OctreeScalarField | None, now: float) -> None:
        """Take a look at a layer's counters at `now`, in seconds."""
        self._time_frames(layer)
        if layer is None:
            self._last = None
            return
        statistics = layer.statistics.as_dict()
        loader, views = statistics["loader"], statistics["views"]
        used = loader["cached_bytes"] + loader["in_flight_bytes"] + loader["staged_bytes"]
        _fill(self.ram, used, loader["limit_bytes"])
        _fill(self.vram, VRAM.held_bytes, layer.config.memory.vram_bytes)
        resident, slots = (sum(v[name] for v in views) for name in ("resident", "slots"))
        held = human_size(sum(view["vram_bytes"] for view in views))
        self.slots.setText(f"{resident:,} of {slots:,}, {held}")
        reading = Reading.of(now, statistics)
        last, self._last = self._last, reading
        if last is not None and reading.time > last.time:
            seconds = reading.time - last.time
            rate = human_size((reading.nbytes - last.nbytes) / seconds)
            self.reading.setText(
                f"{(reading.reads - last.reads) / seconds:.0f} chunks/s, {rate}/s, "
                f"{loader['reading']} now"
            )
            frames = reading.frames - last.frames
            spent = (reading.upload_ms - last.upload_ms) / frames if frames > 0 else 0.0
            _fill_ms(self.upload, spent)
        self.latency.setText(_latency(loader["sources"]))
        self.cancelled.setText(f"{loader['cancelled']:,} requests")

    def _time_frames(self, layer: OctreeScalarField | None) -> None:
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


def _latency(sources: dict[str, dict[str, Any]]) -> str:
    """Recent latencies: of the middle source, and of the slowest."""
    known = [s for s in sources.values() if s["latency_p50_ms"] is not None]
    if not known:
        return "–"
    middle = sorted(s["latency_p50_ms"] for s in known)[len(known) // 2]
    slow = max(s["latency_p95_ms"] for s in known)
    return f"{middle:.1f} ms, 95% below {slow:.1f} ms"


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
