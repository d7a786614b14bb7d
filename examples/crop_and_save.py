"""Cut a box out of a large image, and write it as OME-Zarr with coarser levels of its own."""

import tempfile
from pathlib import Path

import napari

from napari_octree import OctreeImage, open_ome_zarr, samples

viewer = napari.Viewer()
whole = OctreeImage(samples.checkerboard(), name="whole", contrast_limits=(0, 255))
viewer.add_layer(whole)

middle = 2**19
part = whole.crop([(middle - 400, middle + 400), (middle - 600, middle + 600)], name="part")
viewer.add_layer(part)

path = Path(tempfile.mkdtemp()) / "part.zarr"
part.save(str(path))
(saved,) = open_ome_zarr(path)
print(path, [tuple(int(n) for n in shape) for shape in saved.level_shapes])
napari.run()
