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
        self.ram, self.vram, self.upload = QProgressBar(), QProgressBar(), QProgressBar()
        self.ram.setToolTip("Chunks and tiles in memory, of the limit for all layers")
        self.vram.setToolTip("Slots of this layer's textures that hold a tile")
        self.upload.setToolTip("Milliseconds of uploads in a frame, of a frame at 60 Hz")
        self.reading, self.latency = QLabel("–"), QLabel("–")
        self.cancelled = QLabel("–")
        self.cancelled.setToolTip("Requests that left the view before their read began")
        for name, widget in (
            ("Memory", self.ram),
            ("Graphics memory", self.vram),
            ("Uploads a frame", self.upload),
            ("Reading", self.reading),
            ("Latency", self.latency),
            ("Never read", self.cancelled),
        ):
            form.addRow(name, widget)
        self._last: Reading | None = None

    def show_layer(self, layer: OctreeScalarField | None, now: float) -> None:
        """Take a look at a layer's counters at `now`, in seconds."""
        if layer is None:
            self._last = None
            return
        statistics = layer.statistics.as_dict()
        loader, views = statistics["loader"], statistics["views"]
        used = loader["cached_bytes"] + loader["in_flight_bytes"] + loader["staged_bytes"]
        _fill(self.ram, used, loader["limit_bytes"], human_size)
        _fill(self.vram, sum(v["resident"] for v in views), sum(v["slots"] for v in views), str)
        self.vram.setFormat(
            f"%v of %m slots, {human_size(sum(view['vram_bytes'] for view in views))}"
        )
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
            self.upload.setRange(0, 100)
            self.upload.setValue(min(round(100 * spent / FRAME_MS), 100))
            self.upload.setFormat(f"{spent:.1f} of {FRAME_MS:.1f} ms")
        self.latency.setText(_latency(loader["sources"]))
        self.cancelled.setText(f"{loader['cancelled']:,} requests")


def _latency(sources: dict[str, dict[str, Any]]) -> str:
    """Recent latencies of all sources: the middle one and a slow one."""
    known = sorted(s["latency_ms"] for s in sources.values() if s["latency_ms"] is not None)
    if not known:
        return "–"
    slow = known[min(int(len(known) * 0.95), len(known) - 1)]
    return f"{known[len(known) // 2]:.1f} ms, slowest source {slow:.1f} ms"


def _fill(bar: QProgressBar, value: float, limit: float, text: Any) -> None:
    # Qt's bars hold 32-bit integers.
    if isinstance(limit, int) and limit < 2**31 and text is str:
        bar.setRange(0, max(limit, 1))
        bar.setValue(min(int(value), max(limit, 1)))
        return
    bar.setRange(0, 1000)
    bar.setValue(min(round(1000 * value / max(limit, 1)), 1000))
    bar.setFormat(f"{text(value)} of {text(limit)}")
