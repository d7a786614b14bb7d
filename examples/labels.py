"""Labels of a trillion pixels, a colour each, painted on with napari's own tools, with undo."""

import napari
import numpy as np

from napari_octree import OctreeLabels, samples

viewer = napari.Viewer()
labels = OctreeLabels(samples.labels(), name="cells")
viewer.add_layer(labels)
viewer.scene.camera.center = (0, 2**19, 2**19)
viewer.scene.camera.zoom = 1.5
labels.wait_until_settled()

rows, columns = np.mgrid[2**19 : 2**19 + 40, 2**19 : 2**19 + 90]
labels.data_setitem((rows.ravel(), columns.ravel()), 7)  # as the brush does
print("label in the middle:", labels.get_value((2**19 + 9, 2**19 + 9), world=True))
napari.run()
