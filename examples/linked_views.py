"""Look at a volume from three sides and in 3-D at once, with one crosshair."""

import napari
import numpy as np

from napari_octree import OctreeImage
from napari_octree.plugin.commands.linked import open_linked_views

z, y, x = np.ogrid[-40:40, -60:60, -80:80]
volume = (200 * np.exp(-((z / 20) ** 2 + (y / 40) ** 2 + (x / 30) ** 2))).astype("u1")
viewer = napari.Viewer()
viewer.add_layer(OctreeImage(volume, name="egg", contrast_limits=(0, 200), colormap="magma"))
views = open_linked_views(viewer)  # in napari: Layers, Visualize, Linked xy, yz, xz and 3-D views
views.point.move((10, 30, 40))
napari.run()
