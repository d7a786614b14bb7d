"""Finer tiles fade in: mixed with what they replace, each place once, and then it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.octree.cover.cover import by_level, cover
from napari_octree.octree.cover.intersection import intersect
from napari_octree.octree.octree import Octree
from napari_octree.octree.view import View
from napari_octree.rendering.tiles.picture.fade_in import FadeIn, mixed
from napari_octree.rendering.tiles.picture.quads import ALONE
from recording_array import random_pixels

FADE_MS = 80.0
CONFIG = OctreeConfig(octree={"tile_size": 64}, render={"fade_ms": FADE_MS})
SUDDEN = OctreeConfig(octree={"tile_size": 64})
GLASS = Colormap([[0, 0.2, 0, 0.1], [1, 1, 0.2, 0.6], [0.2, 0, 1, 1]], name="glass")


class Clock:
    """The time of the frames of one view."""

    def __init__(self, layer: OctreeImage) -> None:
        self.now = 100.0
        (view,) = layer._views
        prepare = view.tiles.prepare
        view.tiles.prepare = lambda now: prepare(self.now)


@pytest.fixture
def fading(viewer, look_at, screenshot, pump, pump_until, read_log, recording_array):
    """`fading(**keywords)`: a layer whose ideal tiles have just come.

    Also the clock of its frames, the picture before they came, and what draws another one.
    """
    backdrop = np.tile(np.linspace(0, 1, 500, dtype=np.float32), (500, 1))
    viewer.add_layer(Image(backdrop, colormap="magma", contrast_limits=(0, 1)))

    def run(
        data: list[np.ndarray] | None = None, **keywords: Any
    ) -> tuple[OctreeImage, Clock, np.ndarray, Callable[[], np.ndarray]]:
        # Each level is another picture, so that it is seen which is shown.
        data = data or [random_pixels((384 >> k,) * 2, "uint8", k) for k in range(2)]
        levels = [recording_array(pixels, (64, 64), f"level {k}") for k, pixels in enumerate(data)]
        layer = OctreeImage(levels, CONFIG, contrast_limits=(0, 255), **keywords)
        layer.display.show_loading = False
        look_at(viewer, (190.3, 193.3), 0.41)  # the overview is ideal
        viewer.add_layer(layer)
        clock = Clock(layer)
        assert layer.wait_until_settled(30)
        read_log.hold()
        look_at(viewer, (190.3, 193.3), 1.1)
        (view,) = layer._views
        frame = view.tiles.frame
        # The larger atlas of this view must show the overview first: what stands in never fades.
        pump_until(lambda: frame.level == 0 and frame.picture.stand_in is None)
        before = screenshot(viewer).astype(int)
        read_log.release()
        pump_until(lambda: frame.picture.cover.complete and not frame._to_come)

        def shoot() -> np.ndarray:
            view.node.update()
            pump()
            return screenshot(viewer).astype(int)

        return layer, clock, before, shoot

    return run


def test_a_tile_comes_and_goes_on_where_it_was() -> None:
    octree = Octree.from_shapes([(512, 512), (256, 256), (128, 128)], 64)
    wanted = intersect(octree, View.of_box((0, 0), (256, 256), 1.0))
    overview = {2: set(intersect(octree, View.of_box((0, 0), (512, 512), 4.0)).chunks)}
    fade, some = FadeIn(FADE_MS), wanted.chunks[:3]
    fade.see("place", wanted, cover(octree, wanted, overview), 1.0)
    assert not fade.running
    resident = {**overview, 0: set(some)}
    drawn = cover(octree, wanted, resident)
    fade.see("place", wanted, drawn, 1.02)
    assert fade.weights == dict.fromkeys(some, 0.0)
    fade.see("place", wanted, drawn, 1.06)
    assert fade.weights == pytest.approx(dict.fromkeys(some, 0.5))
    fade.see("place", wanted, drawn, 1.11)
    assert not fade.running
    fade.see("another", wanted, drawn, 1.12)
    assert not fade.running  # what comes into view is shown at once
    FadeIn(0).see("place", wanted, drawn, 1.0)


@pytest.mark.parametrize("factor", [2, 3])
def test_each_place_is_mixed_once_of_what_is_there(factor: int) -> None:
    """Whatever the pieces of coarser and finer tiles: by pixels, against two plain covers."""
    shapes = [(500, 700), (-(-500 // factor), -(-700 // factor)), (56, 78)]
    octree = Octree.from_shapes(shapes, 32)
    wanted = intersect(octree, View.of_box((100, 100), (420, 480), 1.0 * factor))
    assert wanted.level == 1
    rng = np.random.default_rng(0)
    everything = [
        intersect(octree, View.of_box((0, 0), (500, 700), 1.0), locked_level=k, max_tiles=10**6)
        for k in range(3)
    ]
    keys = [key for each in everything[:2] for key in each.chunks if rng.random() < 0.5]
    resident = by_level([*keys, *everything[2].chunks])
    drawn = cover(octree, wanted, resident)
    weights = {key: 0.3 for key in wanted.chunks if key in keys and rng.random() < 0.6}
    over, under, shares = mixed(octree, wanted, drawn, resident, weights)
    before = cover(
        octree,
        wanted,
        by_level(key for key in [*keys, *everything[2].chunks] if key not in weights),
    )
    for mine, plain, chosen in ((over, drawn, shares >= 0), (under, before, shares <= 1)):
        found = painted(mine.rectangles[chosen], np.array([hash(c) for c in mine.chunks])[chosen])
        expected = painted(plain.rectangles, np.array([hash(c) for c in plain.chunks]))
        where = found[1] > 0
        assert (found[1] <= 1).all()
        assert (found[0][where] == expected[0][where]).all()
    assert (painted(over.rectangles, np.zeros(len(shares)))[1] == expected[1]).all()
    assert set(shares) == {0.3, ALONE}
    assert (over.rectangles == under.rectangles).all()


def painted(rectangles: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What lies at the middle of each level-0 pixel, and how often something does."""
    picture, times = np.zeros((500, 700), np.int64), np.zeros((500, 700), int)
    for (y0, x0, y1, x1), value in zip(np.ceil(rectangles - 0.5).astype(int), values, strict=True):
        picture[y0:y1, x0:x1] = value
        times[y0:y1, x0:x1] += 1
    return picture, times


@pytest.mark.parametrize(
    "keywords",
    [
        {"opacity": 0.5, "colormap": "green"},
        {"opacity": 0.5, "blending": "additive", "colormap": "viridis"},
        {"colormap": GLASS},
        {"interpolation2d": "linear"},
        {"interpolation2d": "cubic"},
    ],
    ids=lambda keywords: "-".join(keywords),
)
def test_between_what_was_and_what_is(
    viewer, fading, screenshot, look_at, let_rest, keywords
) -> None:
    layer, clock, before, shoot = fading(**keywords)
    start = shoot()
    pictures = []
    for _ in range(3):
        clock.now += FADE_MS / 4e3
        pictures.append(shoot())
        assert not layer.settled
    clock.now += FADE_MS / 2e3
    after = shoot()
    assert layer.wait_until_settled(30)
    assert np.abs(start - before).max() <= 1
    assert np.abs(after - before).max() > 30
    unclipped = np.maximum(before, after) < 255  # of what is added, the canvas cuts off the rest
    unclipped[..., 3] = True
    # Where colours have an opacity, both are rounded to 8 bits before they meet the canvas, which
    # rounds again: 1.5 at most, in each of the pictures compared.
    rounding = 3 if keywords.get("colormap") is GLASS else 1
    low, high = np.minimum(before, after) - rounding, np.maximum(before, after) + rounding
    for share, picture in zip((0.25, 0.5, 0.75), pictures, strict=True):
        assert ((low <= picture) & (picture <= high)).all()
        expected = before + share * (after - before)
        assert np.abs(picture - expected)[unclipped].max() <= rounding
    # The end is the picture of a layer that knows no fading, once the tiles around the view have
    # come, which make filtered pixels at its border better.
    let_rest(layer)
    after = shoot()
    sudden = OctreeImage(layer.data, SUDDEN, contrast_limits=(0, 255), **keywords)
    viewer.layers.remove(layer)
    viewer.add_layer(sudden)
    look_at(viewer, (190.3, 193.3), 1.1)
    let_rest(sudden)
    # Filtered, it depends a little on where in the texture a tile lies.
    filtered = "interpolation2d" in keywords
    assert np.abs(screenshot(viewer) - after).max() <= filtered


def test_half_way(fading, like_reference) -> None:
    """Waves come through a coarser picture, of rings."""
    y, x = np.mgrid[:384, :384]
    waves = (128 + 100 * np.sin(x / 9)).astype(np.uint8)
    rings = (128 + 100 * np.sin(np.hypot(y - 192, x - 192)[::2, ::2] / 15)).astype(np.uint8)
    _, clock, _, shoot = fading([waves, rings], colormap="viridis", opacity=0.7)
    clock.now += FADE_MS / 2e3
    like_reference("fading", shoot())


def test_it_asks_for_nothing_and_ends(viewer, fading, read_log, pump) -> None:
    layer, clock, _, shoot = fading()
    reads = Counter((read.array, str(read.index)) for read in read_log.reads)
    assert max(reads.values()) == 1
    uploads = layer.statistics.views[0].uploads
    assert not layer.settled
    assert layer._views[0].tiles.frame.more
    clock.now += 1
    shoot()
    assert layer.wait_until_settled(30)
    view = layer._views[0]
    assert not view.tiles.frame.more
    assert view.node._quads.under is None
    assert layer.statistics.views[0].uploads == uploads
    ended = view.node._quads
    shoot()
    assert view.node._quads is ended


def test_without_the_option_nothing_fades(viewer, recording_array) -> None:
    levels = [recording_array(random_pixels((256 >> k, 256 >> k), "uint8")) for k in range(2)]
    layer = viewer.add_layer(OctreeImage(levels, SUDDEN))
    assert layer.wait_until_settled(30)
    assert "a_under" not in layer._views[0].node._buffers
