"""Show arrays as OctreeImage layers: one in memory, and a pyramid that is computed as you look.

    python examples/open_arrays.py
    python examples/open_arrays.py --screenshot arrays.png

Anything with `shape`, `dtype` and numpy slicing will do; it is sliced in worker threads only.
"""

import argparse

import napari
import numpy as np

from napari_octree import OctreeImage


class Ripples:
    """2^20 × 2^20 pixels that exist nowhere: rings around the centre, computed on slicing."""

    size = 2**20
    dtype = np.dtype("uint16")

    def __init__(self, level: int) -> None:
        self.step = 2**level
        self.shape = (self.size // self.step, self.size // self.step)
        self.ndim = 2

    def __getitem__(self, index: tuple[slice, slice]) -> np.ndarray:
        y, x = (
            (np.arange(n)[part] + 0.5) * self.step - self.size / 2
            for n, part in zip(self.shape, index, strict=True)
        )
        radius = np.hypot(y[:, np.newaxis], x)
        # Waves too short for the pixels of this level are left out, as averaging would do.
        waves = [np.cos(radius / n) for n in (5, 70, 900, 12_000, 160_000) if n > self.step]
        return (8000 * (sum(waves) / len(waves) + 1)).astype(self.dtype)


def main() -> None:
    """Open a viewer with two layers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshot", metavar="FILE.png", help="write a picture and exit")
    arguments = parser.parse_args()

    viewer = napari.Viewer()
    viewer.window.resize(1200, 800)
    ripples = OctreeImage(
        [Ripples(level) for level in range(12)],
        name="ripples",
        contrast_limits=(0, 16000),
        colormap="viridis",
    )
    noise = OctreeImage(
        np.random.default_rng(0).random((4096, 4096), dtype=np.float32),
        name="one array in memory",
        scale=(64, 64),
        contrast_limits=(0, 1),
        opacity=0.6,
    )
    viewer.add_layer(ripples)
    viewer.add_layer(noise)

    if arguments.screenshot is None:
        napari.run()
    elif ripples.wait_until_settled() and noise.wait_until_settled():
        viewer.screenshot(arguments.screenshot, canvas_only=False, flash=False)
        print(f"Written to {arguments.screenshot}")
    else:
        raise SystemExit("the picture was not complete after 30 s")


if __name__ == "__main__":
    main()
