"""Make labels.png for the page on labels.

python docs/images/labels.py
"""

from pathlib import Path

import napari
import numpy as np
from PIL import Image

from napari_octree import OctreeLabels, samples


def main() -> None:
    """Cells of the sample: areas above, outlines below."""
    viewer = napari.Viewer()
    viewer.window.resize(1000, 700)
    layer = OctreeLabels(samples.labels(), name="Labels", opacity=1)
    viewer.add_layer(layer)
    viewer.scene.camera.center = (0, 2**19, 2**19)
    viewer.scene.camera.zoom = 1.5
    pictures = []
    for contour in (0, 3):
        layer.contour = contour
        layer.wait_until_settled()
        pictures.append(viewer.screenshot(flash=False)[150:350, :, :3])
    target = Path(__file__).with_name("labels.png")
    Image.fromarray(np.concatenate(pictures)).save(target, optimize=True)


if __name__ == "__main__":
    main()
