"""Segment a part of a large image, write it into a pyramid of labels, and save it.

python examples/segment_and_save.py
python examples/segment_and_save.py --screenshot segmented.png
"""

import argparse
import tempfile

import napari
import numpy as np
import zarr
from scipy import ndimage

from napari_octree import OctreeImage, OctreeLabels

SIDE, PART = 4096, 512
"""Pixels of the image, and of the part that is segmented."""


def image() -> np.ndarray:
    """Bright blobs on noise."""
    random = np.random.default_rng(0)
    spots = random.random((SIDE, SIDE), np.float32) > 0.9997
    blobs = ndimage.gaussian_filter(spots.astype(np.float32), 6)
    noise = random.random((SIDE, SIDE), np.float32)
    return (4000 * blobs / blobs.max() + 300 * noise).astype(np.uint16)


def empty_labels(folder: str) -> list[zarr.Array]:
    """A pyramid of labels on disk, all background."""
    group = zarr.create_group(folder)
    return [
        group.create_array(
            str(level),
            shape=(SIDE >> level, SIDE >> level),
            chunks=(256, 256),
            dtype="uint32",
        )
        for level in range(4)
    ]


def main() -> None:
    """Show image and labels, segment, save, and read back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshot", metavar="FILE.png", help="write a picture and exit")
    arguments = parser.parse_args()

    pixels, folder = image(), tempfile.mkdtemp(suffix=".zarr")
    viewer = napari.Viewer()
    viewer.add_layer(OctreeImage(pixels, name="image"))
    labels = OctreeLabels(empty_labels(folder), name="cells")
    viewer.add_layer(labels)

    # Any method that gives labels will do.
    start = SIDE // 2 - PART // 2
    part = pixels[start : start + PART, start : start + PART]
    cells, number = ndimage.label(part > 900)
    rows, columns = np.nonzero(cells)
    labels.data_setitem((rows + start, columns + start), cells[rows, columns])
    viewer.scene.camera.center = (0, SIDE / 2, SIDE / 2)
    viewer.scene.camera.zoom = 1.2
    labels.wait_until_settled()

    labels.save_edits()
    stored = zarr.open_array(folder, path="0", mode="r")
    print(f"{number} cells, {np.count_nonzero(stored[:])} pixels of them in {folder}")
    if arguments.screenshot is None:
        napari.run()
    else:
        viewer.screenshot(arguments.screenshot, canvas_only=False, flash=False)


if __name__ == "__main__":
    main()
