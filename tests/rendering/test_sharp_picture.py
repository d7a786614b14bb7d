"""A volume whose full picture takes long is drawn strip by strip: no frame holds up the window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_octree import OctreeImage
from napari_octree.rendering.gpu.vram import VRAM
from napari_octree.rendering.volume.quality.motion_quality import (
    STRIP_MS,
    TARGET_MS,
    MotionQuality,
)
from napari_octree.rendering.volume.quality.sharp_picture import (
    LEAST_SHARE,
    MOST_DIVIDED,
    SharpPicture,
)


def smooth(side: int = 48) -> np.ndarray:
    z, y, x = np.mgrid[:side, :side, :side] / side
    return (200 * np.sin(5 * z) ** 2 * np.cos(4 * y) ** 2 + 40 * x + 5).astype(np.uint8)


@pytest.fixture
def volume(viewer: Any) -> Any:
    layer = viewer.add_layer(OctreeImage(smooth(), contrast_limits=(0, 255)))
    viewer.dims.ndisplay = 3
    viewer.scene.camera.angles = (20, 30, 40)
    assert layer.wait_until_settled(30)
    return layer


class Casts:
    """How often, and in which quality, rays are cast."""

    def __init__(self, node: Any, monkeypatch: Any) -> None:
        self.of: list[tuple[float, float]] = []
        real = node._cast

        def cast() -> None:
            self.of.append(
                (
                    (node.pictures.strips and node.pictures.cast_share) or 0,
                    node.pictures.step_factor,
                )
            )
            real()

        monkeypatch.setattr(node, "_cast", cast)


def be_slow(drawing: Any, monkeypatch: Any, times: float = 8.0) -> None:
    """Frames cost so many times the target, whatever they do cost."""
    drawing.refinement.quality._wanted = times
    monkeypatch.setattr(drawing.refinement.quality, "drawn", lambda cost_ms: None)


def test_how_many_strips() -> None:
    quality = MotionQuality()
    assert quality.strips == 0
    quality.drawn(3 * TARGET_MS)
    assert quality.strips == 0
    quality.drawn(12 * TARGET_MS)
    assert quality.strips == 12 * TARGET_MS / STRIP_MS


def test_strips_grow_while_there_is_time() -> None:
    sharp = SharpPicture()
    sharp.begin("state", 8)
    sharp.scale(2.0)
    assert sharp._share == 1 / 4
    sharp.scale(100.0)
    assert sharp._share == 1
    sharp.scale(1e-6)
    assert sharp._share == 1 / 8 / MOST_DIVIDED  # other layers may be what is slow
    sharp.begin("another", 43)
    sharp.scale(1e-6)
    assert sharp._share == LEAST_SHARE
    assert not sharp.whole


def test_the_picture_is_the_same_and_comes_in_strips(
    viewer: Any, volume: Any, screenshot: Any, monkeypatch: Any, pump: Any
) -> None:
    drawing = volume._views[0].volume
    casts = Casts(drawing.node, monkeypatch)
    truths = []
    for angles in ((10, 50, 5), (80, 10, 30)):
        viewer.scene.camera.angles = angles
        assert volume.wait_until_settled(30)
        truths.append(screenshot(viewer))
    be_slow(drawing, monkeypatch)
    for angles, truth in zip(((10, 50, 5), (80, 10, 30)), truths, strict=True):
        viewer.scene.camera.angles = angles
        casts.of.clear()
        assert volume.wait_until_settled(30)
        assert drawing.node.pictures.sharp.whole
        assert len(casts.of) >= 3  # a coarse one, and strips
        casts.of.clear()
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        canvas.update()
        pump()
        assert not casts.of  # drawn again, it is shown again
        shown = canvas.render(alpha=False)
        assert not casts.of
        difference = np.abs(shown[..., :3].astype(int) - truth[..., :3].astype(int))
        assert difference.max() <= 1


def test_another_look_begins_anew_and_is_seen_at_once(
    viewer: Any, volume: Any, monkeypatch: Any, pump: Any
) -> None:
    drawing = volume._views[0].volume
    be_slow(drawing, monkeypatch)
    viewer.scene.camera.angles = (10, 50, 5)
    assert volume.wait_until_settled(30)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    before = canvas.render(alpha=False)
    for change in (
        lambda: setattr(volume, "contrast_limits", (0, 30)),
        lambda: setattr(volume, "colormap", "red"),
        lambda: setattr(volume, "gamma", 0.5),
        lambda: setattr(volume, "rendering", "attenuated_mip"),
    ):
        change()
        # Who takes a picture gets the whole one, whatever the screen shows meanwhile.
        picture = canvas.render(alpha=False)
        canvas.native.repaint()
        assert drawing.node.pictures.unfinished
        assert not volume.settled
        meanwhile = canvas.render(alpha=False)
        assert drawing.node.pictures.unfinished
        assert volume.wait_until_settled(30)
        whole = canvas.render(alpha=False).astype(int)
        assert np.abs(whole - before.astype(int)).max() > 20
        assert np.abs(whole - picture).max() <= 1
        assert np.abs(whole - meanwhile).max() <= 1
        before = whole


def test_its_memory_counts_and_is_given_back(viewer: Any, volume: Any, monkeypatch: Any) -> None:
    drawing = volume._views[0].volume
    be_slow(drawing, monkeypatch)
    viewer.scene.camera.angles = (10, 50, 5)
    assert volume.wait_until_settled(30)
    node = drawing.node
    assert node.pictures.sharp.nbytes > 0
    drawing.lease.account()
    held = VRAM.held_bytes
    pictures = node.pictures.sharp.nbytes + node.pictures.reduced.nbytes
    viewer.dims.ndisplay = 2
    assert VRAM.held_bytes <= held - pictures
    assert node.pictures.sharp.nbytes == 0


def test_a_picture_that_was_coarse_but_comes_in_one_piece_is_told_of(
    viewer: Any, volume: Any, monkeypatch: Any, pump_until: Any
) -> None:
    """Listeners and work of idle times start with the last frame: there is no other one."""
    be_slow(volume._views[0].volume, monkeypatch, 2.0)
    told: list[bool] = []
    idle: list[bool] = []
    volume.events.settled.connect(lambda event: told.append(event.value))
    use = volume._use_idle_time
    monkeypatch.setattr(
        volume,
        "_use_idle_time",
        lambda done: (idle.append(done and not volume._views.moving), use(done)),
    )
    viewer.scene.camera.angles = (10, 50, 5)
    pump_until(lambda: told == [False, True])
    pump_until(lambda: idle[-1])
