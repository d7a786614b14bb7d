"""Record how somebody moves through an image, and measure the same way again."""

import napari
from qtpy.QtWidgets import QApplication

from napari_octree import OctreeImage, samples
from napari_octree.layers.viewing.recorder import TraceRecorder
from napari_octree.plugin.terminal.replay import replay

viewer = napari.Viewer()
layer = OctreeImage(samples.checkerboard(), contrast_limits=(0, 255))
viewer.add_layer(layer)
layer.wait_until_settled()

recorder = TraceRecorder(viewer)
for _ in range(20):
    viewer.scene.camera.zoom *= 1.3
    QApplication.processEvents()
trace = recorder.stop()  # trace.save("trace.json") keeps it

viewer.reset_view()
print(replay(viewer, trace).as_text())
napari.run()
