"""The text of the status bar: how good the value is that it shows, and how much is loaded."""

from __future__ import annotations

from napari_octree.layers.views.progress import OctreeProgress


def with_progress(
    status: dict[str, str],
    coarser: bool,
    progress: OctreeProgress,
    sampled: bool = False,
    refined: float = 1.0,
) -> dict[str, str]:
    """Return napari's status of a position with what our layer knows besides.

    Parameters
    ----------
    status : dict of str
        Its "value" is empty, "VALUE" or "LEVEL, VALUE".
    coarser : bool
        The value is of a coarser level than the one that is shown.
    progress : OctreeProgress
    sampled : bool
        What is shown is made of a sample of the pixels.
    refined : float
        How much of the coarser levels has been computed in the background.
    """
    text = status["value"]
    if coarser:
        text += " (coarser)"
    if text and sampled:
        text += " [a sample: zoom in for every pixel]"
    if text and refined < 1:
        text += f" [coarser levels: {refined:.0%} computed]"
    if progress.loading:
        text += f" [{progress.resident / progress.ideal:.0%} loaded]"
    if progress.failed:
        text += f" [{progress.failed} failed]"
    text = text.strip()
    return status | {"value": text, "coordinates": ": ".join((status["coords"], text))}


def with_place(status: dict[str, str], place: str | None) -> dict[str, str]:
    """Return a status that also names the image under the cursor, of a mosaic of many."""
    if place is None:
        return status
    text = f"{status['value']} · {place}" if status["value"] else place
    return status | {"value": text, "coordinates": ": ".join((status["coords"], text))}
