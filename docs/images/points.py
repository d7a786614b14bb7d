"""Make points.png for the page on points.

python docs/images/points.py
"""

import sys
from pathlib import Path

import napari
import numpy as np
from PIL import Image

from napari_octree import OctreePoints

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from points import localisations


def main() -> None:
    """A million localisations: from far away as sample and density, and near by."""
    viewer = napari.Viewer()
    viewer.window.resize(1000, 700)
    positions, features = localisations(1_000_000)
    layer = OctreePoints(
        positions,
        features=features,
        face_color="photons",
        face_colormap="inferno",
        face_contrast_limits=(0, 1200),
        size=20,
        border_color="transparent",
        opacity=0.8,
        blending="translucent_no_depth",
    )
    viewer.add_layer(layer)
    layer.wait_until_settled(120)
    viewer.reset_view()
    pictures = []
    for zoom in (1, 20):
        viewer.scene.camera.zoom *= zoom
        viewer.scene.camera.center = (0, *np.median(positions, axis=0))
        layer.wait_until_settled(120)
        pictures.append(viewer.screenshot(flash=False)[..., :3])
    height, width = pictures[0].shape[:2]
    side = min(height, width // 2)
    crops = [p[(height - side) // 2 :, (width - side) // 2 :][:side, :side] for p in pictures]
    target = Path(__file__).with_name("points.png")
    Image.fromarray(np.concatenate(crops, axis=1)).save(target, optimize=True)


if __name__ == "__main__":
    main()
