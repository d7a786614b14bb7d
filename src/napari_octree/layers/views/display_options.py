"""What a person may ask to see of the octree itself."""

from __future__ import annotations

from typing import Literal

from psygnal import EventedModel


class OctreeDisplayOptions(EventedModel):
    """Options of one layer's drawing; each field has an event of its name.

    Attributes
    ----------
    show_grid : bool
        Draw the borders of the tiles.
    tint_levels : bool
        Tell the level that every tile shows by an outline and a corner of its colour, of several
        layers by one outline within the other; in 3-D also by the hue of bricks. A legend in the
        corner of the canvas names the levels.
    track_view : bool
        Follow the camera: off keeps the chunks of the view as it was.
    freeze_level : bool
        Keep the level that is ideal now, whatever the zoom.
    show_loading : bool
        Draw a dot in the corner of the canvas while something is still to come (red: while
        reads have failed).
    show_failed : bool
        Draw thin red lines through tiles that could not be read; the coarser picture stays under
        them.
    keep_slice : bool
        After a step of a slider keep the former slice, dimmed, until something of the new one
        can be shown everywhere. (Else what is there is shown at once, and blank elsewhere.)
    play : {"skip", "wait"}
        While a slider plays: keep the time and skip slices that come too late, or wait until
        something of each can be shown everywhere.
    policy : {"explore", "play", "quality"}
        What is loaded first and what is loaded ahead (2-D): something everywhere, then the view,
        then what may come next; or coarser levels first and more slices ahead, to keep up with
        a slider; or what the view shows and nothing else, for screenshots of slow sources. What
        the picture is in the end does not depend on it. See `napari_octree.octree.policy`.
    channel_group : str or None
        Layers of one viewer with the same name here show each new tile in the same frame, so that
        colours that are added up do not flicker while they load. A tile that another channel
        does not get within half a second is shown without it.
    """

    show_grid: bool = False
    tint_levels: bool = False
    track_view: bool = True
    freeze_level: bool = False
    show_loading: bool = True
    show_failed: bool = True
    keep_slice: bool = False
    play: Literal["skip", "wait"] = "skip"
    policy: Literal["explore", "play", "quality"] = "explore"
    channel_group: str | None = None
