"""Ten million localisations: index them in memory, and look at them."""

import napari
import numpy as np

from napari_octree import OctreePoints

COUNT = 10_000_000


def localisations(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Points along random walks, as of filaments, with a background."""
    rng = np.random.default_rng(0)
    turns = np.cumsum(rng.normal(0, 0.05, (80, 1000)), axis=1) + rng.random((80, 1)) * 7
    steps = np.stack([np.sin(turns), np.cos(turns)], axis=-1) * 30
    walks = np.cumsum(steps, axis=1) + rng.random((80, 1, 2)) * 40_000
    centres = walks.reshape(-1, 2)[rng.integers(0, 80_000, count)]
    positions = (centres + rng.normal(0, 40, (count, 2))).astype(np.float32)
    background = rng.random(count) < 0.03
    positions[background] = rng.random((np.count_nonzero(background), 2)) * 40_000
    features = {
        "photons": rng.gamma(2.0, 500.0, count).astype(np.float32),
        "channel": np.where(rng.random(count) < 0.5, "actin", "tubulin"),
    }
    return positions, features


def localisation_layer(positions: np.ndarray, features: dict[str, np.ndarray]) -> OctreePoints:
    """Coloured by the light of each."""
    return OctreePoints(
        positions,
        features=features,
        face_color="photons",
        face_colormap="inferno",
        face_contrast_limits=(0, 1200),
        size=20,
        border_color="transparent",
        opacity=0.8,
        blending="translucent_no_depth",
        name="localisations",
    )


if __name__ == "__main__":
    viewer = napari.Viewer()
    viewer.add_layer(localisation_layer(*localisations(COUNT)))
    napari.run()
