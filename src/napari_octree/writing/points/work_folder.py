"""WorkFolder: what is half done of a build of points, beside its target.

Invariants: the folder belongs to one build, of certain points with certain options; a build that
was interrupted goes on in it, any other is refused. It is a build as long as it has both its
description and its store. The target appears whole, by one renaming.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from napari_octree.writing.errors import WritingError, written_to
from napari_octree.writing.points.partial import sweep, whole

PARTS = ("survey", "count", "spread", "least", "built", "store")
"""Its folders: one for the results of each pass, and the store that becomes the target."""


class WorkFolder:
    """The folder of one build.

    Parameters
    ----------
    target : Path
        Where the result is to be.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.building")

    @property
    def store(self) -> Path:
        """What becomes the target."""
        return self.path / "store"

    def file(self, part: str, number: int) -> Path:
        """Where a task keeps its result."""
        return self.path / part / f"{number}.npy"

    def begin(self, description: Any) -> None:
        """Make the folder, or go on in it.

        Parameters
        ----------
        description : JSON value
            Of the points and the options.

        Raises
        ------
        WritingError
            It is that of another build, which is not touched; or it cannot be written to.
        """
        text = json.dumps(description)
        name = self.path / "build.json"
        with written_to(self.path):
            if name.exists() and self.store.is_dir():
                if name.read_text(encoding="utf-8") != text:
                    raise WritingError(
                        f"{self.path}: holds an interrupted build of other points or with other "
                        "options; delete it to begin anew"
                    )
                sweep(self.path)
                return
            for part in PARTS:  # of a build that was interrupted before its begin or after its end
                shutil.rmtree(self.path / part, ignore_errors=True)
                (self.path / part).mkdir(parents=True)
            with whole(name) as made:
                made.write_text(text, encoding="utf-8")

    def end(self) -> None:
        """Move the store to the target, and remove all else.

        Raises
        ------
        WritingError
            It cannot be moved.
        """
        with written_to(self.target):
            sweep(self.store)  # a cluster's worker may have been killed
            os.rename(self.store, self.target)
        shutil.rmtree(self.path, ignore_errors=True)  # what is left of it is not taken for a build
