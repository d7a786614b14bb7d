"""Every private name of napari's and vispy's drawing that we need (napari 0.9.2, vispy 0.17).

Invariant: each is behind a name of ours that says what it is for. Others import them from here.
"""

from napari_octree.rendering._vispy.canvas import (
    camera_rect,
    drawing_into,
    filling,
    finish,
    flush,
    make_current,
    scissored,
    viewport_size,
)
from napari_octree.rendering._vispy.layers import (
    ScalarFieldLayerNode,
    VispyBaseLayer,
    VispyImageLayer,
    VispyScalarFieldBaseLayer,
    Volume,
    data_to_world,
    displayed_axes,
    fix_data_dtype,
    get_max_texture_sizes,
    ndisplay_of,
    register_visual_class,
    slice_of,
)
from napari_octree.rendering._vispy.programs import (
    compiled_ahead,
    draw_ranges,
    drawn_with,
    keep_programs_until_others_draw,
)
from napari_octree.rendering._vispy.repeated_draw import RepeatedDraw
from napari_octree.rendering._vispy.shaders import (
    clamped_filters,
    coloured_with_nan,
    drawn_as_quads,
    image_templates,
    marker_fragment_template,
    marker_lighting,
    volume_fragment_template,
)
from napari_octree.rendering._vispy.textures import (
    GPUScaledTexture2D,
    GPUScaledTexture3D,
    delete_texture,
    extend,
    open_for_uploads,
    share_queue,
    upload,
)
from napari_octree.rendering._vispy.timer import GpuTimer, finish_all
from napari_octree.rendering._vispy.windows import (
    hold_playback,
    slow_loading_signs,
    viewer_of,
    what_a_person_closes,
    when_idle,
)

__all__ = [
    "GPUScaledTexture2D",
    "GPUScaledTexture3D",
    "GpuTimer",
    "RepeatedDraw",
    "ScalarFieldLayerNode",
    "VispyBaseLayer",
    "VispyImageLayer",
    "VispyScalarFieldBaseLayer",
    "Volume",
    "camera_rect",
    "clamped_filters",
    "coloured_with_nan",
    "compiled_ahead",
    "data_to_world",
    "delete_texture",
    "displayed_axes",
    "draw_ranges",
    "drawing_into",
    "drawn_as_quads",
    "drawn_with",
    "extend",
    "filling",
    "finish",
    "finish_all",
    "fix_data_dtype",
    "flush",
    "get_max_texture_sizes",
    "hold_playback",
    "image_templates",
    "keep_programs_until_others_draw",
    "make_current",
    "marker_fragment_template",
    "marker_lighting",
    "ndisplay_of",
    "open_for_uploads",
    "register_visual_class",
    "scissored",
    "share_queue",
    "slice_of",
    "slow_loading_signs",
    "upload",
    "viewer_of",
    "viewport_size",
    "volume_fragment_template",
    "what_a_person_closes",
    "when_idle",
]
