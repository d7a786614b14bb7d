"""List what is in a zarr hierarchy without a window, then browse it in the dock."""

import tempfile
from pathlib import Path

import napari
import numpy as np
import zarr

from napari_octree.plugin.browsing import StoreBrowserDock
from napari_octree.sources.ome_zarr.collections.store_tree import StoreTree

path = Path(tempfile.mkdtemp()) / "experiment.zarr"
group = zarr.create_group(path)
for name in ("before", "after"):
    group.create_array(name, data=np.random.default_rng(0).random((512, 512)), chunks=(128, 128))

tree = StoreTree(path)  # or an address: https://…, s3://…
for node in tree.children(tree.root):
    print(node.name, node.kind, node.summary)

viewer = napari.Viewer()
browser = StoreBrowserDock(viewer)  # in napari: Plugins, Octree, Browse a store
viewer.window.add_dock_widget(browser, name="Browse a store")
browser.browse(str(path))
napari.run()
