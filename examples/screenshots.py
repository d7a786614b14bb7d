"""Make pictures in a script: of the screen, and sharper than the screen."""

import tempfile
from pathlib import Path

import napari

from napari_octree import OctreeImage, samples

folder = Path(tempfile.mkdtemp())
viewer = napari.Viewer()
layer = OctreeImage(samples.checkerboard((2**14, 2**14)), contrast_limits=(0, 255))
viewer.add_layer(layer)

# A screenshot shows what is there now: wait until that is all.
if not layer.wait_until_settled(timeout=60):
    raise SystemExit(f"not complete: {layer.progress}")
viewer.screenshot(str(folder / "screen.png"), flash=False)

# An exported figure waits by itself, and loads the level that its size needs.
viewer.export_figure(str(folder / "figure.png"), scale_factor=0.05, flash=False)
print(*sorted(folder.iterdir()), sep="\n")
napari.run()
