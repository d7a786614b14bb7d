"""A window is not closed over painted labels without a word; code that closes it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox

from napari_octree import OctreeConfig, OctreeLabels
from napari_octree.rendering.labels.close_prompt import ClosePrompt

Button = QMessageBox.StandardButton


class Asked:
    """What was asked, and what is answered."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.answer: Any = Button.Cancel
        self.then: Callable[[], Any] = lambda: None

    def exec(self, box: QMessageBox) -> Any:
        self.texts.append(f"{box.text()} {box.informativeText()}")
        self.then()
        return self.answer


@pytest.fixture
def asked(monkeypatch: Any) -> Asked:
    found = Asked()
    monkeypatch.setattr(QMessageBox, "exec", lambda box: found.exec(box))
    monkeypatch.setattr(get_settings().application, "confirm_close_window", False)
    return found


@pytest.fixture
def told() -> Iterator[list[str]]:
    messages: list[str] = []
    notification_manager.notification_ready.connect(listen := lambda n: messages.append(n.message))
    yield messages
    notification_manager.notification_ready.disconnect(listen)


class Stay(QObject):
    """Notes that a window would be closed, and keeps it open for the next test."""

    closes = 0

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        if event.type() != QEvent.Type.Close:
            return False
        self.closes += 1
        event.ignore()
        return True


@pytest.fixture
def would_close() -> Iterator[Callable[..., bool]]:
    """Whether a viewer's window is closed by napari's menus and keys, or as `how` says."""
    guards: dict[Any, Stay] = {}

    def close(viewer: Any, **how: bool) -> bool:
        window = viewer.window._qt_window
        if window not in guards:
            guards[window] = Stay()
            window.installEventFilter(guards[window])
            for prompt in window.findChildren(ClosePrompt):
                window.installEventFilter(prompt)  # asks first
        before = guards[window].closes
        window.close(**{"confirm_need": True, **how})
        return guards[window].closes > before

    yield close
    for window, guard in guards.items():
        window.removeEventFilter(guard)


def painted(viewer: Any, data: Any, pump: Any, **keywords: Any) -> OctreeLabels:
    layer = OctreeLabels(data, **keywords)
    viewer.add_layer(layer)
    assert layer.wait_until_settled(30)
    pump()
    layer.brush_size = 5
    layer.paint((20, 20), 9)
    return layer


def test_a_window_is_not_closed_without_a_word(
    viewer: Any, pump: Any, asked: Asked, told: list[str], monkeypatch: Any, would_close: Any
) -> None:
    data = np.ones((64, 64), np.uint16)
    painted(viewer, data, pump, name="cells")
    assert not would_close(viewer)
    assert not would_close(viewer, quit_app=True)
    assert ["cells" in text and "lost" in text for text in asked.texts] == [True, True]
    assert viewer.window._qt_window.isVisible()
    asked.answer = Button.Save

    def fail(*_: Any) -> None:
        raise OSError("the store is full")

    with monkeypatch.context() as broken:
        broken.setattr(OctreeLabels, "save_edits", fail)
        assert not would_close(viewer)
    assert "not saved" in told[-1]
    assert "the store is full" in told[-1]
    assert (data == 1).all()
    asked.then = lambda: would_close(viewer)  # once more, while it asks
    assert would_close(viewer)
    assert data[20, 20] == 9
    assert len(asked.texts) == 4
    viewer.layers.clear()
    assert not [text for text in told if "unsaved" in text]


def test_who_wants_to_lose_it_may_and_code_is_not_asked(
    viewer: Any, make_viewer: Any, pump: Any, asked: Asked, told: list[str], would_close: Any
) -> None:
    first, second, data = viewer, make_viewer(), np.ones((64, 64), np.uint16)
    layer = painted(first, data, pump)
    second.add_layer(layer)
    assert layer.wait_until_settled(30)
    pump()
    asked.answer = Button.Discard
    assert would_close(first), "it is still shown in the other"
    second.layers.clear()
    assert would_close(first, confirm_need=False), "code does"
    assert not asked.texts
    assert would_close(first)
    assert len(asked.texts) == 1
    first.layers.clear()
    assert not [text for text in told if "unsaved" in text]
    assert (data == 1).all()


def test_a_layer_that_goes_alone_says_so(
    viewer: Any, pump: Any, asked: Asked, told: list[str], tmp_path: Any
) -> None:
    import zarr

    store = zarr.create_array(tmp_path / "a.zarr", shape=(64, 64), chunks=(32, 32), dtype="int32")
    config = OctreeConfig(memory={"edits_path": tmp_path / "edits"})
    layer = painted(viewer, store, pump, config=config)
    viewer.layers.remove(layer)
    assert "kept on this machine" in told[-1]
    assert not asked.texts
