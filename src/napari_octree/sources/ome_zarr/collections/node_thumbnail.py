"""A small picture of what a node of a store shows.

Invariants: worker threads only; one plane of the coarsest level is read, and nothing where that
would be large; None where there is nothing to show, whatever the reason: a picture is a courtesy.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from napari_octree.sources.arrays.zarr_arrays.unsafe import problem_of
from napari_octree.sources.ome_zarr.collections.node_facts import axis_names, named_children
from napari_octree.sources.ome_zarr.collections.store_tree import StoreNode, StoreTree
from napari_octree.sources.ome_zarr.metadata.omero import parse_color
from napari_octree.sources.ome_zarr.metadata.values import as_list, as_mapping
from napari_octree.sources.ome_zarr.metadata.versions import ome_attributes
from napari_octree.sources.stores.zarr_nodes import node_at

logger = logging.getLogger("napari_octree.sources")

LARGEST_READ = 16 * 2**20
"""Bytes of the chunks of a plane, unpacked."""
MOST_CHANNELS = 4
GREY = (1.0, 1.0, 1.0)
PRIMARIES: Sequence[tuple[float, ...]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def thumbnail(tree: StoreTree, node: StoreNode, side: int = 64) -> np.ndarray | None:
    """Return a picture of a node.

    Parameters
    ----------
    tree : StoreTree
        That the node belongs to.
    node : StoreNode
    side : int
        Pixels of the longer side, at most.

    Returns
    -------
    array of (rows, columns, 3) uint8, or None
    """
    try:
        return _thumbnail(tree, tree.look(node), side)
    except Exception:  # broken documents and chunks, codecs that are not installed, …
        logger.debug("%s: no picture", node.where, exc_info=True)
        return None


def _thumbnail(tree: StoreTree, node: StoreNode, side: int) -> np.ndarray | None:
    if node.kind == "well":
        for path, kind in named_children(node.details, "well"):
            field = next(n for n in tree.children(node) if n.name == path)
            return _thumbnail(tree, tree.look(field), side) if kind == "image" else None
        return None
    documents = node.documents
    if documents is None or node.kind not in ("image", "labels", "array"):
        return None
    path, axes, colours = node.path, [""], []
    if node.kind != "array":
        entry = as_mapping(as_list(ome_attributes(node.details).get("multiscales"))[0])
        coarsest = [name for name, _ in named_children(node.details, node.kind)]
        coarsest = coarsest[: len(as_list(entry.get("datasets")))]
        path = f"{node.path}/{coarsest[-1]}" if node.path else coarsest[-1]
        axes, colours = axis_names(entry), _colours(node.details)
    array = node_at(documents, path)
    if not isinstance(array, zarr.Array) or problem_of(array) is not None or array.ndim < 2:
        return None
    planes = _planes(array, axes if len(axes) == array.ndim else [""] * array.ndim, side)
    if planes is None:
        return None
    if node.kind == "labels":
        return _of_labels(planes[0])
    return _composite(planes, colours)


def _planes(array: Any, axes: Sequence[str], side: int) -> list[np.ndarray] | None:
    """The planes of some channels, thinned: the first time, the middle of the stack."""
    is_colour = array.ndim == 3 and array.shape[-1] in (3, 4) and array.dtype == np.uint8
    down, right = (0, 1) if is_colour else (array.ndim - 2, array.ndim - 1)
    channel = axes.index("c") if "c" in axes else None
    index: list[Any] = []
    read = array.dtype.itemsize
    for axis, size in enumerate(array.shape):
        if size == 0:
            return None
        if axis in (down, right) or is_colour:
            index.append(slice(None))
        elif axis == channel:
            index.append(slice(0, MOST_CHANNELS))
        else:
            index.append(size // 2 if axes[axis] == "z" else 0)
        wanted = index[-1].indices(size)[1] if isinstance(index[-1], slice) else 1
        chunk = array.chunks[axis]
        read *= -(-wanted // chunk) * chunk
    if read > LARGEST_READ:
        return None
    pixels = np.asarray(array[tuple(index)])
    if is_colour:
        return [_thinned(pixels[..., n], side) for n in range(3)]
    if channel is None or pixels.ndim == 2:
        return [_thinned(pixels, side)]
    return [_thinned(plane, side) for plane in pixels]


def _thinned(plane: np.ndarray, side: int) -> np.ndarray:
    step = max(-(-max(plane.shape) // side), 1)
    return plane[step // 2 :: step, step // 2 :: step] if min(plane.shape) >= step else plane


def _colours(attributes: Mapping[str, Any]) -> list[tuple[float, ...]]:
    colours = []
    for channel in as_list(as_mapping(ome_attributes(attributes).get("omero")).get("channels")):
        colour = parse_color(as_mapping(channel).get("color"))
        parts = bytes.fromhex(colour[1:]) if colour else b"\xff\xff\xff"
        colours.append(tuple(part / 255 for part in parts))
    return colours


def _composite(planes: Sequence[np.ndarray], colours: Sequence[tuple[float, ...]]) -> np.ndarray:
    if not colours:
        colours = PRIMARIES if len(planes) == 3 else [GREY] * len(planes)
    picture = np.zeros((*planes[0].shape, 3))
    for plane, colour in zip(planes, colours, strict=False):
        values = plane.astype(float)
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            continue
        low, high = np.percentile(finite, (0.5, 99.5))
        scaled = np.clip((np.nan_to_num(values) - low) / max(high - low, 1e-300), 0, 1)
        picture += scaled[..., None] * np.asarray(colour)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _of_labels(plane: np.ndarray) -> np.ndarray:
    """Any colours, a label's own each; black is 0."""
    mixed = plane.astype(np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    channels = [((mixed >> np.uint64(shift)) & np.uint64(0xFF)) for shift in (56, 40, 24)]
    picture = np.stack(channels, axis=-1).astype(np.uint8) // 2 + 100
    picture[plane == 0] = 0
    return picture
