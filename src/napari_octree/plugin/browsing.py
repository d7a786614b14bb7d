"""Browsing a store in napari: the dock of the *Plugins* menu, and how it opens what is chosen.

Invariants: metadata is read in other threads while the window stays alive; what goes wrong is one
notice, and nothing has been added then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_error, show_info

from napari_octree.config import ConfigError, OctreeConfig
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.source import note_source
from napari_octree.plugin.commands.commands import ADDRESSES, MOST_ADDRESSES
from napari_octree.plugin.commands.plates import with_plate_names
from napari_octree.plugin.opening.first_look import arrange_first_look
from napari_octree.plugin.opening.open_image import prepare_image
from napari_octree.plugin.opening.open_ome_zarr import layers_of
from napari_octree.plugin.opening.problem_first import problem_first
from napari_octree.plugin.opening.waiting import Cancelled, open_and_wait
from napari_octree.plugin.preferences import preferred_config
from napari_octree.plugin.remembered import recall, remember
from napari_octree.qt.browse.store import BrowserActions, OpenChoice
from napari_octree.qt.browse.store_browser import StoreBrowser
from napari_octree.sources.errors import SourceError
from napari_octree.sources.ome_zarr.collections.node_thumbnail import thumbnail
from napari_octree.sources.ome_zarr.collections.store_tree import StoreNode, StoreTree
from napari_octree.sources.ome_zarr.image import OmeZarrImage
from napari_octree.sources.ome_zarr.metadata.image_label import ImageLabel
from napari_octree.sources.ome_zarr.opening import read_ome_zarr

if TYPE_CHECKING:
    import napari.viewer


class BrowsedStore:
    """A store as the dock asks for it."""

    def __init__(self, tree: StoreTree) -> None:
        self.tree = tree
        self.root = tree.root

    def look(self, node: StoreNode) -> StoreNode:
        """Read what a node is (worker threads)."""
        return self.tree.look(node)

    def children(self, node: StoreNode) -> Sequence[StoreNode]:
        """List what lies below a node (worker threads)."""
        return self.tree.children(node)

    def thumbnail(self, node: StoreNode) -> np.ndarray | None:
        """Return a small picture (worker threads)."""
        return thumbnail(self.tree, node)


class StoreBrowserDock(StoreBrowser):
    """The dock *Browse a store*.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(
            BrowserActions(
                read=lambda address: BrowsedStore(StoreTree(address)),
                show=lambda store, node, choice: show_node(viewer, store, node, choice),
                known=lambda: [str(address) for address in recall(ADDRESSES, [])],
                remember=_remember,
            )
        )


def _remember(address: str) -> None:
    known = [str(each) for each in recall(ADDRESSES, [])]
    kept = [address, *(each for each in known if each != address)]
    remember(ADDRESSES, kept[:MOST_ADDRESSES])


def show_node(viewer: Any, store: Any, node: StoreNode, choice: OpenChoice) -> list[Layer]:
    """Add the layers of a node to a viewer, or to one of its own; what goes wrong is a notice."""
    tree: StoreTree = store.tree
    try:
        config = preferred_config()
        make = open_and_wait(node.where, lambda: prepare_node(tree, node, choice, config))
        layers = with_plate_names(make())
    except (SourceError, ConfigError) as error:
        show_error(problem_first(str(error), node.where))
        return []
    except Cancelled:
        show_info(f"{node.where}: opening was cancelled")
        return []
    opened = tree.opened(node)
    if isinstance(opened, str):
        note_source(layers, opened)
    if choice.renderer == "napari":
        layers = [as_napari_layer(layer) for layer in layers]
    if choice.new_window:
        import napari

        viewer = napari.Viewer()
    arrange_first_look(layers, viewer)
    for layer in layers:
        if choice.rendering and isinstance(layer, Image):
            layer.rendering = choice.rendering
        viewer.add_layer(layer)
    if choice.rendering:
        viewer.dims.ndisplay = 3
    return layers


def prepare_node(
    tree: StoreTree, node: StoreNode, choice: OpenChoice, config: OctreeConfig | None
) -> Callable[[], list[Layer]]:
    """Read the metadata of a node (any thread); what is returned makes the layers (main thread).

    Raises
    ------
    SourceError
    """
    opened = tree.opened(node)
    if isinstance(opened, str) and not choice.layer:
        return prepare_image(opened, config, **tree.options)
    options = tree.options if isinstance(opened, str) else {}
    images = [as_type(image, choice) for image in read_ome_zarr(opened, **options)]
    return lambda: layers_of(images, config)


def as_type(image: OmeZarrImage, choice: OpenChoice) -> OmeZarrImage:
    """An image as the type of layer that was chosen.

    Raises
    ------
    SourceError
        Its pixels are none that labels can have.
    """
    if choice.layer == "image":
        return replace(image, label=None, hidden=False)
    if choice.layer == "labels" and image.label is None:
        dtype = np.dtype(image.levels[0].dtype)
        if dtype.kind not in "iub":
            raise SourceError(f"{image.where}: pixels of type {dtype} cannot be labels")
        return replace(image, label=ImageLabel())
    return image


def as_napari_layer(layer: Layer) -> Layer:
    """Napari's own layer of the same levels, place and looks; others as they are.

    Levels are dask arrays: pixels are read when napari asks for them.
    """
    if not isinstance(layer, OctreeScalarField):
        return layer
    _, state, _ = layer.as_layer_data_tuple()
    levels: Any = layer.as_dask()
    own = Labels if isinstance(layer, Labels) else Image
    state["multiscale"] = len(levels) > 1
    return own(levels if len(levels) > 1 else levels[0], **state)
