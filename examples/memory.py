"""Give a layer bounds of memory, and see that they hold."""

import napari

from napari_octree import OctreeConfig, OctreeImage, samples

config = OctreeConfig(
    memory={"ram_bytes": 64 * 2**20, "vram_bytes": 128 * 2**20},
    loader_defaults={"num_workers": 4},
)
viewer = napari.Viewer()
layer = OctreeImage(samples.mandelbrot(), config, contrast_limits=(0, 65535), colormap="magma")
viewer.add_layer(layer)
viewer.scene.camera.zoom *= 50
layer.wait_until_settled()

loader = layer.statistics.loader
print(f"{loader['cached_bytes'] / 2**20:.1f} of {loader['limit_bytes'] / 2**20:.0f} MiB of RAM")
print(f"{layer.statistics.views[0].vram_bytes / 2**20:.1f} MiB on the graphics card")
napari.run()
