"""Colours of labels, calculated as napari shows them, with numpy alone.

Invariants: pure, and exact for all integers of 64 bits. `colormap.map` of napari is not asked for
arrays: it raises for labels above 2^16 with colours of their own where numba is missing.
"""

from __future__ import annotations

import itertools
from typing import TypeAlias

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

LabelColormap: TypeAlias = CyclicLabelColormap | DirectLabelColormap


def label_colours(labels: np.ndarray, colormap: LabelColormap) -> np.ndarray:
    """Colours of an array of labels.

    Parameters
    ----------
    labels : integer array of any shape
    colormap : CyclicLabelColormap or DirectLabelColormap
        With its selection: others than the selected label may be hidden.

    Returns
    -------
    (…, 4) float32
    """
    if isinstance(colormap, CyclicLabelColormap):
        colours = _cyclic(labels, colormap)
    else:
        colours = _direct(labels, colormap)
    if colormap.use_selection:
        colours[labels != colormap.selection] = 0
    return colours


def _cyclic(labels: np.ndarray, colormap: CyclicLabelColormap) -> np.ndarray:
    table = np.asarray(colormap.colors, np.float32)
    n = len(table) - 1
    # As napari, in the labels' own type: the least one wraps around to the largest, and where
    # there are more colours than labels each has that of its own number.
    indices = labels if n > np.iinfo(labels.dtype).max else _modulo(labels, n)
    colours = table[indices]
    colours[(labels == colormap.background_value) | (indices == 0)] = 0
    return colours


def _modulo(labels: np.ndarray, n: int) -> np.ndarray:
    one = labels.dtype.type(1)
    return (labels - one) % labels.dtype.type(n) + one


def _direct(labels: np.ndarray, colormap: DirectLabelColormap) -> np.ndarray:
    keys, table = direct_colours(colormap, labels.dtype)
    found = np.searchsorted(keys, labels).clip(0, max(len(keys) - 1, 0))
    colours = np.empty((*labels.shape, 4), np.float32)
    colours[:] = colormap.default_color
    if len(keys):
        known = keys[found] == labels
        colours[known] = table[found[known]]
    return colours


def direct_colours(
    colormap: DirectLabelColormap, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """The labels that have a colour of their own, and these colours.

    Parameters
    ----------
    colormap : DirectLabelColormap
    dtype : numpy.dtype
        Of the labels: those that it cannot hold are left out.

    Returns
    -------
    keys : (N,) array of `dtype`
        In rising order.
    colours : (N, 4) float32
    """
    limits = np.iinfo(dtype)
    named = [
        (label, colour)
        for label, colour in colormap.color_dict.items()
        if label is not None and limits.min <= label <= limits.max
    ]
    keys = np.fromiter((label for label, _ in named), dtype, len(named))
    flat = itertools.chain.from_iterable(colour for _, colour in named)
    colours = np.fromiter(flat, np.float32, 4 * len(named)).reshape(-1, 4)
    order = np.argsort(keys, kind="stable")
    return keys[order], colours[order]
