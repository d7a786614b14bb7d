"""Pictures of the same data by stock napari and by us, compared screen pixel by screen pixel.

Invariants: cameras keep off texel ties; the backdrop makes blending and gaps visible. Where a test
fails, the two pictures and their difference are written to the folder that the message names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from napari.utils.colormaps import AVAILABLE_COLORMAPS
from PIL import Image as Picture

from napari_octree import OctreeConfig, OctreeImage

ROWS, COLUMNS = 700, 900
TILES = OctreeConfig(octree={"tile_size": 256})
REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(autouse=True)
def known_colour_maps() -> Iterator[None]:
    """Let napari forget the colour maps that a test has made: it keeps them for the process."""
    before = set(AVAILABLE_COLORMAPS)
    yield
    for name in set(AVAILABLE_COLORMAPS) - before:
        del AVAILABLE_COLORMAPS[name]


@pytest.fixture(scope="module")
def lent_with_controls() -> bool:
    """What is drawn is tested here, not the docks."""
    return False


@pytest.fixture
def viewer(lent_viewer) -> Any:
    """The window that all tests of this room share."""
    return lent_viewer


@pytest.fixture(scope="session")
def scene() -> np.ndarray:
    """Structure at all scales with some noise, in [0, 1]."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    waves = 0.5 + 0.25 * np.sin(x / 13) + 0.2 * np.cos(y / 7)
    return np.clip(waves + rng.uniform(-0.05, 0.05, waves.shape), 0, 1)


@pytest.fixture
def compare(viewer, screenshot, pump, look_at, tmp_path) -> Callable[..., np.ndarray]:
    """`compare(data, center, zoom, …)`: greatest difference (0–255) per screen pixel.

    Of several centers, the pictures stand side by side: making a layer costs more than drawing it.
    """
    made: list[Image] = []

    def run(
        data: Any,
        center: tuple[float, float] | list[tuple[float, float]] = (256.2, 255.7),
        zoom: float = 1.7731,
        generic: bool = False,
        config: Any = None,
        arrange: Callable[[Any], None] | None = None,
        **keywords: Any,
    ) -> np.ndarray:
        if not made:
            backdrop = np.tile(np.linspace(0, 1, 1600, dtype=np.float32), (1400, 1))
            made.append(
                Image(backdrop, translate=(-200, -200), colormap="magma", contrast_limits=(0, 1))
            )
            viewer.add_layer(made[0])

        def shoot(layer: Image) -> np.ndarray:
            viewer.add_layer(layer)
            if arrange is not None:
                arrange(viewer)
            pictures = []
            for place in center if isinstance(center, list) else [center]:
                if generic:  # rotated or sheared: no screen pixel is near a tie for long
                    viewer.scene.camera.zoom = zoom
                    viewer.scene.camera.center = (0.0, *place)
                else:
                    axes = list(viewer.dims.displayed)
                    scale = layer.scale[axes]
                    origin = layer.translate[axes] - scale / 2
                    look_at(viewer, place, zoom, np.abs(scale), origin)
                pump()
                if isinstance(layer, OctreeImage):
                    assert layer.wait_until_settled(30)
                pictures.append(screenshot(viewer).astype(int))
            viewer.layers.remove(layer)
            return np.concatenate(pictures, axis=1)

        multiscale = isinstance(data, list)
        stock = shoot(Image(data, multiscale=multiscale, **keywords))
        ours = shoot(OctreeImage(data, config=config or TILES, **keywords))
        assert stock.std() > 5, "nothing to compare"
        difference = np.abs(stock - ours).max(axis=-1)
        if difference.any():
            save(tmp_path / "stock.png", stock)
            save(tmp_path / "ours.png", ours)
            save(tmp_path / "difference.png", difference)
            print(f"{difference.max()} at most: see {tmp_path}")  # noqa: T201
        return difference

    return run


@pytest.fixture
def like_reference(tmp_path) -> Callable[[str, np.ndarray], None]:
    """`like_reference(name, picture)`: equals the committed picture, to 1 of 255."""

    def check(name: str, picture: np.ndarray) -> None:
        path = REFERENCE / f"{name}.png"
        save(tmp_path / path.name, picture)
        assert path.exists(), f"look at {tmp_path / path.name} and copy it to {path}"
        wanted = np.asarray(Picture.open(path)).astype(int)
        difference = np.abs(wanted - picture[..., :3].astype(int))
        assert difference.max() <= 1, f"{tmp_path / path.name} differs from {path}"

    return check


def save(path: Path, picture: np.ndarray) -> None:
    """Write a picture that a person can open, without its alpha."""
    pixels = picture[..., :3] if picture.ndim == 3 else picture
    Picture.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def fast_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of volumes count as cheap, however slow the machine: full quality, in one piece."""
    from napari_octree.rendering.volume import refinement_pace

    monkeypatch.setattr(refinement_pace, "draws_in_software", lambda: False)
    monkeypatch.setattr(refinement_pace.MotionQuality, "drawn", lambda self, cost_ms: None)
