"""Write an OME-Zarr image with the `ome-zarr` package and open it.

    python examples/open_ome_zarr_image.py
    python examples/open_ome_zarr_image.py --screenshot cells.png

Writing needs `pip install "ome-zarr>=0.18"`. With a path or URL the image there is opened instead.
"""

import argparse
import tempfile
from pathlib import Path

import napari
import numpy as np
import zarr

from napari_octree import open_ome_zarr


def write_cells(path: Path) -> None:
    """Write two channels of 4096 × 4096 pixels of 0.25 µm, in five levels."""
    from ome_zarr.writer import Methods, write_image

    generator = np.random.default_rng(0)
    nuclei = np.zeros((4096, 4096), np.float32)
    y, x = np.mgrid[-60:60, -60:60]
    spot = np.clip(50 - np.hypot(y, x), 0, 30) / 30
    for top, left in generator.integers(0, 4096 - 120, (300, 2)):
        window = nuclei[top : top + 120, left : left + 120]
        np.maximum(window, spot, out=window)
    y, x = np.ogrid[:4096, :4096]
    fibres = 0.5 + 0.5 * np.sin(x / 31 + 3 * np.sin(y / 211)) * np.cos(y / 57)
    noise = generator.integers(0, 2000, (2, 4096, 4096), np.uint16)

    write_image(
        (40000 * np.stack([nuclei, fibres])).astype(np.uint16) + noise,
        str(path),
        axes=["c", "y", "x"],
        scale={"y": 0.25, "x": 0.25},
        axes_units={"y": "micrometer", "x": "micrometer"},
        method=Methods.LOCAL_MEAN,
        storage_options={"chunks": (1, 256, 256)},
    )
    group = zarr.open_group(path, mode="r+")
    channels = [
        {
            "label": label,
            "color": color,
            "active": True,
            "window": {"min": 0, "max": 65535, "start": 1000, "end": 42000},
        }
        for label, color in (("nuclei", "00A0FF"), ("fibres", "FFA000"))
    ]
    group.attrs["ome"] = {**group.attrs["ome"], "omero": {"channels": channels}}


def main() -> None:
    """Open a viewer with one layer per channel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="path or URL of an OME-Zarr image")
    parser.add_argument("--screenshot", metavar="FILE.png", help="write a picture and exit")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = arguments.path
        if path is None:
            path = Path(folder) / "cells.ome.zarr"
            write_cells(path)
        viewer = napari.Viewer()
        viewer.window.resize(1200, 800)
        layers = open_ome_zarr(path)
        for layer in layers:
            viewer.add_layer(layer)
        if arguments.screenshot is None:
            napari.run()
        elif all(layer.wait_until_settled() for layer in layers):
            viewer.screenshot(arguments.screenshot, canvas_only=False, flash=False)
            print(f"Written to {arguments.screenshot}")
        else:
            raise SystemExit("the picture was not complete after 30 s")
        viewer.close()


if __name__ == "__main__":
    main()
