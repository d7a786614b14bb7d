"""Fixtures of the room docs: the viewer in which what the pages say is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import napari

    from lent_windows import LentWindows


@pytest.fixture(scope="module")
def shared(_lent_windows: LentWindows) -> Iterator[napari.Viewer]:
    """One viewer for all tests of a module: each of its own would take longer than they do."""
    import napari

    with _lent_windows.used():
        viewer = _lent_windows.lend(lambda: napari.Viewer(show=True))
        viewer.window.resize(500, 400)  # a small picture has few tiles
        yield viewer
