"""What the layer, its viewers and the loader have counted: an immutable, JSON-ready snapshot."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class UploadCheck:
    """What one upload took, waiting for the GPU: elsewhere only the handing over is timed.

    Attributes
    ----------
    nbytes : int
        Of the upload.
    issued_ms : float
        Until GL had taken it, as all uploads are timed.
    done_ms : float
        Until `glFinish` returned.
    gpu_ms : float or None
        By GL's own timer; None where it has none. Software renderers say 0.
    """

    nbytes: int
    issued_ms: float
    done_ms: float
    gpu_ms: float | None


@dataclass(frozen=True)
class ViewStatistics:
    """Counts of one viewer's drawing of the layer.

    Attributes
    ----------
    frames : int
        Frames drawn.
    plans : int
        Plans made: fewer than frames, since an unchanged view is not planned again.
    uploads, upload_bytes : int
        Tiles sent to the GPU, and their bytes.
    upload_ms : float
        Milliseconds spent on uploads in all.
    longest_upload_ms : float
        The most of any frame.
    upload_check : UploadCheck or None
        Made once, early on.
    over_budget : int
        Frames whose uploads took longer than the budget and what one tile was expected to take.
    slots, resident : int
        Places of the atlas, and how many hold a tile.
    vram_bytes : int
        Size of the atlas.
    level : int
        Ideal level of the last plan.
    buffered : (int, int) or None
        Half-open range of positions of the slider last moved whose slices are in RAM at the ideal
        level, as far as the view shows them; None before a slider was moved, and in 3-D.
    """

    frames: int = 0
    plans: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    upload_ms: float = 0.0
    longest_upload_ms: float = 0.0
    upload_check: UploadCheck | None = None
    over_budget: int = 0
    slots: int = 0
    resident: int = 0
    vram_bytes: int = 0
    level: int = 0
    buffered: tuple[int, int] | None = None


@dataclass(frozen=True)
class OctreeStatistics:
    """Snapshot of a layer.

    Attributes
    ----------
    views : tuple of ViewStatistics
        One per viewer that shows the layer.
    loader : dict
        The loader's own snapshot (the loader is shared by all layers of the process).
    refined : float
        How much of the coarser levels of the slice has been computed in the background
        (`octree.background_pyramid`); 1 where nothing is to be done.
    painted : dict
        Of labels: `ram_bytes` of what was painted and can be undone, `chunks_on_disk` that are
        there only, `unsaved_chunks`.
    """

    views: tuple[ViewStatistics, ...] = ()
    loader: dict[str, Any] = field(default_factory=dict)
    refined: float = 1.0
    painted: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, tuples, numbers and strings; cheap also after thousands of sources."""
        return {**vars(self), "views": tuple(asdict(view) for view in self.views)}
