"""Whether what is to be written would take the place of what it is read from.

Invariants: pure but for resolving paths; nothing is read.
"""

from __future__ import annotations

from pathlib import Path

from napari_octree.writing.errors import WritingError
from napari_octree.writing.image_to_write import ImageToWrite


def refuse_own_source(image: ImageToWrite, path: str | Path) -> None:
    """Raise where a target is the image's source, holds it, or lies in it.

    Raises
    ------
    WritingError
    """
    target = Path(path).expanduser().resolve()
    for part in (image, *image.labels):
        name = str(getattr(getattr(part.source.storage, "group", None), "name", ""))
        if "://" in name or not Path(name).is_absolute():
            continue
        source = Path(name).resolve()
        if source == target or target in source.parents or source in target.parents:
            raise WritingError(f"{path}: {part.name} is read from there ({name})")
