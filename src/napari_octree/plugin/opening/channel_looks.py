"""How channels look: colour maps and names, as the file says or as napari does by itself."""

from __future__ import annotations

from napari.utils.colormaps import CMYBGR, MAGENTA_GREEN, Colormap, ensure_colormap

from napari_octree.layers.image.octree_image import OctreeImage
from napari_octree.sources.ome_zarr.metadata import Channel

TWO_COLORS = tuple(MAGENTA_GREEN)
MANY_COLORS = tuple(CMYBGR)
"""Colour maps of channels without colours: those that napari itself uses for `channel_axis`."""

NAMED_COLORS = {
    "#ffffff": "gray",
    "#ff0000": "red",
    "#00ff00": "green",
    "#0000ff": "blue",
    "#00ffff": "cyan",
    "#ff00ff": "magenta",
    "#ffff00": "yellow",
}


def channel_name(image_name: str, channel: Channel, index: int, count: int) -> str:
    """The name of a channel's layer."""
    if count == 1 and channel.label == image_name:
        return image_name
    if channel.label is not None:
        return f"{image_name}: {channel.label}"
    return f"{image_name}: channel {index}" if count > 1 else image_name


def channel_colormap(channel: Channel, index: int, count: int, greyscale: bool) -> Colormap | str:
    """The colour map of a channel's layer."""
    color = channel.color
    if color is None or greyscale:
        if count == 1 or greyscale:
            name = "gray"
        else:
            name = TWO_COLORS[index] if count == 2 else MANY_COLORS[index % len(MANY_COLORS)]
        return "gray_r" if channel.inverted and name == "gray" else name
    if color == "#000000":
        # napari makes of black a map from white: a channel that is to be dark would light up.
        return Colormap([[0, 0, 0, 1], [0, 0, 0, 1]], name="black")
    if channel.inverted:
        return Colormap([color, "black"], name=f"{color} inverted")
    return ensure_colormap(NAMED_COLORS.get(color, color))


def show_range(layer: OctreeImage, channel: Channel) -> None:
    """Let the contrast limits be set to what the channel says they may be."""
    if channel.window is not None and channel.window_range is not None:
        low, high = channel.window_range
        layer.contrast_limits_range = min(low, channel.window[0]), max(high, channel.window[1])
