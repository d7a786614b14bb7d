"""One window that many tests use one after the other: making and closing one takes half a second.

Invariants: a test gets the window as a new one would be: no layers, the default camera and dims,
no callbacks of other tests. What cannot be put back, or what a test that failed has left, is
closed, and the next test gets a new window. napari's own check for leaked windows does not see
it, so tests with windows of their own go on to be checked.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    import napari  # which is first imported when its settings have a place


class LentWindows:
    """Owner of the window, and of the application model that its menus belong to.

    Parameters
    ----------
    with_controls : bool
        False: the (hidden) dock of layer controls stays empty. To make its widgets is a third of
        the work of adding a layer.
    """

    def __init__(self, with_controls: bool = True) -> None:
        self._with_controls = with_controls
        self.app: Any = None
        self._viewer: napari.Viewer | None = None
        self._state: dict[str, str] = {}
        self._axis_labels: tuple[str, ...] = ()
        self._lent = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let napari take the window's application model for its own meanwhile."""
        from napari._app_model._app import NapariApplication

        with patch.object(NapariApplication, "get_app_model", side_effect=lambda: self.app):
            yield

    def lend(self, make: Callable[[], napari.Viewer]) -> napari.Viewer:
        """Return the window, which `make` makes where there is none."""
        from napari._qt.qt_viewer import QtViewer

        if self._viewer is None:
            self._new_app()
            self._viewer = make()
            QtViewer._instances.discard(self._viewer.window._qt_viewer)
            if not self._with_controls:
                _make_no_controls(self._viewer)
            self._axis_labels = self._viewer.dims.axis_labels
            self._state = _state(self._viewer)
            self._lent = 0
        self._lent += 1
        if self._lent <= 2:
            # napari collects garbage whenever a layer is removed: not over all of a window, nor
            # over what its first test has imported.
            gc.collect()
            gc.freeze()
        return self._viewer

    def take_back(self, sound: bool) -> None:
        """Put the window back as it was; if that cannot be done, or it is not sound, close it."""
        viewer, self._viewer = self._viewer, None
        if viewer is None or not hasattr(viewer.window, "_qt_window"):
            return  # the test has closed it
        viewer.layers.clear()
        _put_back(viewer)
        viewer.dims.axis_labels = self._axis_labels
        if sound and self._is_as_it_was(viewer):
            _forget_tests(viewer)
            self._viewer = viewer
        else:
            _close(viewer)

    def close(self) -> None:
        """Close the window, and forget its application model."""
        if self._viewer is not None:
            _close(self._viewer)
            self._viewer = None
        self._forget_app()

    def _new_app(self) -> None:
        from napari._app_model._app import NapariApplication, _napari_names

        self._forget_app()
        self.app = NapariApplication("lent")
        self.app.injection_store.namespace = _napari_names
        _have_actions_registered()

    def _forget_app(self) -> None:
        from app_model import Application

        if self.app is not None:
            Application.destroy(self.app.name)
            self.app = None
            _have_actions_registered()

    def _is_as_it_was(self, viewer: napari.Viewer) -> bool:
        return not viewer.window._wrapped_dock_widgets and _state(viewer) == self._state


def _have_actions_registered() -> None:
    """Have napari register its actions with the application model that it uses next."""
    from napari._qt._qapp_model.qactions import init_qactions
    from napari.plugins import _initialize_plugins

    _initialize_plugins.cache_clear()
    init_qactions.cache_clear()


def _make_no_controls(viewer: napari.Viewer) -> None:
    controls = viewer.window._qt_viewer.controls
    for emitter, callback in (
        (viewer.layers.events.inserted, controls._add),
        (viewer.layers.events.removed, controls._remove),
        (viewer.layers.selection.events.changed, controls._populate),
    ):
        connected = len(emitter.callbacks)
        emitter.disconnect(callback)
        assert len(emitter.callbacks) == connected - 1


def _put_back(viewer: napari.Viewer) -> None:
    viewer.dims.ndisplay = 2
    viewer.dims.ndim = 2
    camera = viewer.scene.camera
    for name, field in type(camera).model_fields.items():
        if getattr(camera, name) != field.default and not field.is_required():
            setattr(camera, name, field.get_default(call_default_factory=True))
    viewer.title, viewer.status = "napari", "Ready"
    viewer.tooltip.visible, viewer.tooltip.text = False, ""


def _state(viewer: napari.Viewer) -> dict[str, str]:
    """All that the model says of itself, but where the mouse is and what it says of that."""
    parts = (viewer.dims, viewer.scene.camera, viewer.canvas.grid)
    state = {type(part).__name__: repr(part) for part in parts}
    overlays = (*viewer.canvas.overlays.values(), *viewer.scene.overlays.values())
    state["overlays"] = repr([(type(o).__name__, o.visible) for o in overlays])
    for name in ("theme", "mouse_drag_callbacks", "mouse_move_callbacks", "mouse_wheel_callbacks"):
        state[name] = repr(getattr(viewer, name))
    state["keys"] = repr(sorted(map(str, viewer.keymap)))
    return state


def _forget_tests(viewer: napari.Viewer) -> None:
    """Disconnect what tests have connected; what a layer has connected to a canvas may stay."""
    for emitter in _emitters(viewer):
        for callback in list(emitter._callbacks):
            if "test" in (getattr(callback, "__module__", None) or ""):
                emitter.disconnect(callback)


def _emitters(viewer: napari.Viewer) -> Iterator[Any]:
    groups = (
        viewer.events,
        viewer.dims.events,
        viewer.layers.events,
        viewer.layers.selection.events,
        viewer.scene.camera.events,
        viewer.window._qt_viewer.canvas._scene_canvas.events,
    )
    for group in groups:
        for name in group:
            yield group[name]


def _close(viewer: napari.Viewer) -> None:
    with patch.object(viewer.window._qt_window, "_save_current_window_settings"):
        viewer.close()
