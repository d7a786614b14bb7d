"""Dive into the Mandelbrot set: 2^27 × 2^27 pixels, computed tile by tile as you look.

python examples/mandelbrot.py
python examples/mandelbrot.py --screenshot mandelbrot.png
"""

import argparse

import napari

from napari_octree import OctreeImage
from napari_octree.sources.samples.mandelbrot import mandelbrot

SEAHORSES = (-0.7436, 0.1318)
"""A place worth seeing: real and imaginary part."""


def main() -> None:
    """Open a viewer above the seahorse valley."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshot", metavar="FILE.png", help="write a picture and exit")
    arguments = parser.parse_args()

    levels = mandelbrot()
    layer = OctreeImage(levels, name="Mandelbrot set", colormap="twilight_shifted")
    viewer = napari.Viewer()
    viewer.window.resize(1200, 800)
    viewer.add_layer(layer)

    # The image is 3 wide and high, around -0.75; rows run downwards.
    pixels_per_unit = levels[0].shape[0] / 3
    real, imaginary = SEAHORSES
    viewer.scene.camera.center = (
        0,
        (1.5 - imaginary) * pixels_per_unit,
        (real + 0.75 + 1.5) * pixels_per_unit,
    )
    viewer.scene.camera.zoom = 500 / (0.02 * pixels_per_unit)

    if arguments.screenshot is None:
        napari.run()
    elif layer.wait_until_settled(timeout=120):
        viewer.screenshot(arguments.screenshot, canvas_only=False, flash=False)
        print(f"Written to {arguments.screenshot}")
    else:
        raise SystemExit("the picture was not complete after 120 s")


if __name__ == "__main__":
    main()
