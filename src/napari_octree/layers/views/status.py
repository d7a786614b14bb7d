"""The text of the status bar: how good the value is that it shows, and how much is loaded."""

from __future__ import annotations

from napari_octree.layers.views.progress import OctreeProgress


def with_progress(
    status: dict[str, str],
    ideal_level: int,
    progress: OctreeProgress,
    sampled: bool = False,
    refined: float = 1.0,
) -> dict[str, str]:
    """Return napari's status of a position with what our layer knows besides.

    Parameters
    ----------
    status : dict of str
        Its "value" is empty or "LEVEL, VALUE".
    ideal_level : int
        Values of a coarser level are marked as such.
    progress : OctreeProgress
    sampled : bool
        What is shown is made of a sample of the pixels.
    refined : float
        How much of the coarser levels has been computed in the background.
    """
    text = status["value"]
    if not text:
        return status
    level, _, value = text.partition(", ")
    if value and level.isdigit() and int(level) > ideal_level:
        text += " (coarser)"
    if sampled:
        text += " [a sample: zoom in for every pixel]"
    if refined < 1:
        text += f" [coarser levels: {refined:.0%} computed]"
    if progress.loading:
        text += f" [{progress.resident / progress.ideal:.0%} loaded]"
    if progress.failed:
        text += f" [{progress.failed} failed]"
    return status | {"value": text, "coordinates": ": ".join((status["coords"], text))}


def with_place(status: dict[str, str], place: str | None) -> dict[str, str]:
    """Return a status that also names the image under the cursor, of a mosaic of many."""
    if place is None:
        return status
    text = f"{status['value']} · {place}" if status["value"] else place
    return status | {"value": text, "coordinates": ": ".join((status["coords"], text))}
