"""What happens when reads fail: retries, one notice, lines through what is missing, Reload."""

import napari
import numpy as np

from napari_octree import OctreeConfig, OctreeImage


class Flaky:
    """The right half cannot be read until it is repaired."""

    shape, dtype, chunks = (2048, 2048), np.dtype("uint8"), (256, 256)
    broken = True

    def __getitem__(self, index):
        if self.broken and index[1].start >= 1024:
            raise ValueError("these bytes are no pixels")
        rows, columns = (np.arange(n)[part] for n, part in zip(self.shape, index, strict=True))
        return (rows[:, None] // 8 ^ columns // 8).astype("u1")


data = Flaky()
coarse = np.zeros((512, 512), "u1")
layer = OctreeImage([data, coarse], OctreeConfig(), contrast_limits=(0, 255), name="flaky")
viewer = napari.Viewer()
viewer.add_layer(layer)
viewer.scene.camera.zoom = 1
layer.wait_until_settled(timeout=20)
print("before:", layer.progress)

data.broken = False
layer.reload()
layer.wait_until_settled(timeout=20)
print("after:", layer.progress)
napari.run()
