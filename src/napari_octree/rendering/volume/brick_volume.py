"""BrickVolume: napari's volume node, drawn from an octree of bricks.

Invariants: node coordinates are data coordinates (the centre of the first voxel is 0), as in
napari's own volume. Drawing reads uniforms and four textures (atlas, its value ranges, nodes and
their table); nothing is uploaded by moving the camera, contrast, colour map or rendering mode. All
matrices are composed in float64 relative to an integer origin near the focus, so that float32 on
the GPU is exact there, however large the image. vispy's volume gives contrast limits, gamma and
colours; its texture lookup, its rays and its loops are replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from vispy.visuals.shaders import Function

from napari_octree.octree.octree import Octree
from napari_octree.rendering._vispy import Volume, drawn_with, viewport_size
from napari_octree.rendering.canvas.exports import exports_of
from napari_octree.rendering.gpu.clear_colours import NOTHING, clear_share, highest_clear
from napari_octree.rendering.gpu.node_matrices import volume_matrices
from napari_octree.rendering.gpu.shader_text import shader_text
from napari_octree.rendering.level_colours import level_colours
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.nodes.node_geometry import MAX_LEVELS, NodeGeometry
from napari_octree.rendering.volume.nodes.node_texture import NodeTexture
from napari_octree.rendering.volume.quality.volume_pictures import VolumePictures
from napari_octree.rendering.volume.ray_frame import RayFrame
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D
from napari_octree.rendering.volume.volume_shaders import (
    MODES,
    clipping_function,
    mode_sections,
    volume_fragment_shader,
)

STEP = 0.8
"""Voxels between samples, as vispy's."""

QUALITY = ("octree_step_factor", "u_relative_step_size")
"""Uniforms that say how well it is drawn, not what."""

GRID_PIXELS = 1.5
"""Width of the lines between bricks."""


class BrickVolume(Volume):
    """A volume whose voxels come brick by brick.

    Parameters
    ----------
    encoding : BrickEncoding
    octree : Octree
        Of three axes.
    on_prepare : callable
        Called first in every draw: may upload, replace the atlas and change what is shown.
    **keywords
        Of napari's volume node.

    Attributes
    ----------
    content : int
        To be raised by whoever changes texels or nodes: a picture of others is another one.
    pictures : VolumePictures
    """

    _texture: TextureAtlas3D
    _interpolation: str
    _shaders = {  # noqa: RUF012
        "vertex": shader_text("volume/brick_volume.vert"),
        "fragment": volume_fragment_shader(),
    }
    _rendering_methods = {mode: mode_sections(mode) for mode in MODES}  # noqa: RUF012
    _raycasting_modes = {  # noqa: RUF012
        "volume": shader_text("volume/ray_volume.glsl"),
        "plane": shader_text("volume/ray_plane.glsl"),
    }
    _func_templates = {  # noqa: RUF012
        **Volume._func_templates,
        "texture_lookup": shader_text("volume/brick_lookup.glsl"),
    }

    def __init__(
        self,
        encoding: BrickEncoding,
        octree: Octree,
        on_prepare: Callable[[BrickVolume], None],
        **keywords: Any,
    ) -> None:
        self._encoding = encoding
        self._on_prepare = on_prepare
        self._geometry = NodeGeometry.of(octree)
        self._origin: np.ndarray | None = None
        self._nodes: NodeTexture | None = None
        self._clear_of: Any = None
        self._clear_share: float | None = None
        super().__init__(
            np.zeros((1, 1, 1), np.float32), clim=(0, 1), texture_format="auto", **keywords
        )
        self.unfreeze()
        self.fade = 1.0
        self.content = 0
        self.pictures = VolumePictures()
        self._coloured = False
        self._overlaid: bool | None = None
        self.set_overlays(False, False)
        self.bind(self._texture, self._geometry)
        self.freeze()

    # ----------------------------------------------------------------- the seam

    def _create_texture(self, texture_format: Any, data: Any) -> TextureAtlas3D:
        # A small one: the real atlas comes with the first frame, when limits are known.
        atlas = TextureAtlas3D(self._encoding, (1, 1, 2))
        atlas.set_clim((0, 1))
        return atlas

    def set_data(self, *args: Any, **keywords: Any) -> None:
        """Leave the data alone: napari hands over its slice, which is only our overview."""
        self._vol_shape = (1, 1, 1)  # what vispy derives its guard against tiny steps from

    def bind(self, atlas: TextureAtlas3D, geometry: NodeGeometry) -> None:
        """Draw from `atlas`, placed by `geometry`; nothing is shown until `nodes.write`.

        The textures of the former nodes go with the next flush.
        """
        if atlas is not self._texture:
            atlas.set_clim(self._texture.clim)
            atlas.interpolation = self._texture.interpolation
        self._texture = atlas
        self._geometry = geometry
        self._origin = None
        if self._nodes is not None:
            for texture in self._nodes.textures:
                texture.delete()
        self._nodes = NodeTexture(geometry, atlas.grid)
        program = self.shared_program
        program["u_volumetex"] = atlas
        program["octree_nodes"] = self._nodes.entries
        program["octree_table"] = self._nodes.table
        program["octree_table_level"] = geometry.table_level
        program["octree_ranges"] = atlas.ranges
        program["octree_levels"] = len(geometry.pitch)
        encoding = atlas.encoding
        for name, zyx in (
            ("grid", atlas.grid),
            ("block", geometry.block),
            ("brick", encoding.brick_shape),
            ("slot", encoding.slot_shape),
            ("apron", np.subtract(encoding.slot_shape, encoding.brick_shape) / 2),
            ("cells", encoding.cells),
        ):
            program[f"octree_{name}"] = _xyz(zyx)
        for name, table in (
            ("pitch", geometry.pitch),
            ("last", geometry.last),
            ("ratio", geometry.ratio),
            ("shift", geometry.shift),
        ):
            self._set_table(name, table)
        program["u_rgb_mode"] = int(encoding.texels.channels > 1)
        program["clim"] = self._texture.clim_normalized
        self.set_place(np.eye(4), np.zeros(3))
        self._need_interpolation_update = True

    def extend(self) -> None:
        """Go with an atlas that has grown; nothing is shown until `nodes.write`."""
        grid = self.atlas.grid
        self.nodes.extend(grid)
        self.shared_program["octree_grid"] = _xyz(grid)

    @property
    def atlas(self) -> TextureAtlas3D:
        """The texture that is drawn from."""
        return self._texture

    @property
    def nodes(self) -> NodeTexture:
        """What is shown."""
        assert self._nodes is not None
        return self._nodes

    @property
    def geometry(self) -> NodeGeometry:
        """Where bricks lie."""
        return self._geometry

    @property
    def fade(self) -> float:
        """Brightness of the whole, 1 for normal: less marks what is not current."""
        return self._fade

    @fade.setter
    def fade(self, fade: float) -> None:
        self._fade = fade
        self.shared_program["octree_fade"] = fade

    def set_overlays(self, tint: bool, grid: bool, failed: bool = False) -> None:
        """What is shown of the octree itself.

        Parameters
        ----------
        tint : bool
            Levels.
        grid : bool
            Borders of bricks.
        failed : bool
            Some bricks that are shown have failed ones below them.
        """
        program = self.shared_program
        overlaid = tint or grid or failed
        if overlaid != self._overlaid:
            # Compiled only where it is asked for: the ray caster costs less without.
            self._overlaid = overlaid
            # Vispy loses count of two expressions of one text: none of another name reads so.
            program.frag["overlaid"] = f"{str(overlaid).lower()} /* overlaid */"
        self._shows_grid = grid
        program["octree_tint"] = 0.4 if tint else 0.0
        if tint and not self._coloured:
            self._coloured = True
            for level, colour in enumerate(level_colours(np.arange(MAX_LEVELS))):
                program[f"octree_tints[{level}]"] = (*map(float, colour), 1.0)

    def _build_interpolation(self) -> None:
        # vispy's wide filters would read across slots: linear stands in, as in the hardware.
        asked = self._interpolation
        self._interpolation = "nearest" if asked == "nearest" else "linear"
        super()._build_interpolation()
        self._interpolation = asked

    @property
    def method(self) -> str:
        """The rendering mode."""
        return str(self._method)

    @method.setter
    def method(self, method: str) -> None:
        Volume.method.fset(self, method)
        sections = self._rendering_methods[method]
        self.shared_program.frag["skip_test"] = sections["skip_test"]
        self.shared_program.frag["cell_test"] = sections["cell_test"].strip()

    @property
    def iso_gradient_mode(self) -> str:
        """Of labels only: napari's setter would put its own shader in the place of ours."""
        return "fast"

    @iso_gradient_mode.setter
    def iso_gradient_mode(self, value: str) -> None:
        pass

    @property
    def clipping_planes(self) -> np.ndarray:
        """(N, 2, 3): positions and normals, x first, in the coordinates of the scene."""
        return self._clipping_planes

    @clipping_planes.setter
    def clipping_planes(self, value: np.ndarray | None) -> None:
        planes = np.empty((0, 2, 3)) if value is None else np.asarray(value, np.float64)
        self._clipping_planes = planes
        self._clip_func = Function(clipping_function(len(planes)))
        for n in range(len(planes)):
            self._clip_func[f"plane{n}"] = (0.0, 0.0, 0.0, 1.0)
        self.shared_program.frag["clip_with_planes"] = self._clip_func
        self.update()

    def _create_vertex_data(self) -> None:
        corners = [(-1, -1, 0), (1, -1, 0), (-1, 1, 0), (1, 1, 0)]
        self._vertices.set_data(np.array(corners, np.float32))
        self._index_buffer.set_data(np.arange(4, dtype=np.uint32))
        self._need_vertex_update = False

    def _compute_bounds(self, axis: int, view: Any) -> tuple[float, float]:
        return 0, self._geometry.octree.extent[2 - axis]

    # ---------------------------------------------------------------- the place

    def set_place(
        self,
        to_clip: np.ndarray,
        focus: np.ndarray,
        to_scene: np.ndarray | None = None,
        size: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Place the rays.

        Parameters
        ----------
        to_clip : (4, 4) float64
            Octree coordinates (x, y, z, 1) to clip space, row-vector convention.
        focus : (3,) float64
            Where the camera looks (x, y, z), octree coordinates.
        to_scene : (4, 4) float64, optional
            Octree coordinates to those of the clipping planes.
        size : (width, height), optional
            Of the view in pixels: lines have a width.
        """
        extent = np.array(self._geometry.octree.extent[::-1], float)
        frame = RayFrame.of(to_clip, focus, extent)
        if self._origin is None or (frame.origin != self._origin).any():
            self._origin = frame.origin
            self._place_levels(frame.origin)
        program = self.shared_program
        self._set_step(self.pictures.step_factor)
        line = frame.pixel_per_w(size) * GRID_PIXELS / 2
        program["octree_line_width"] = line
        program["octree_grid_width"] = line if self._shows_grid else 0.0
        program["octree_clear"] = self._highest_clear()
        for name, vector in frame.uniforms().items():
            program[f"octree_{name}"] = vector
        # Planes are given in data coordinates, half a voxel off octree coordinates.
        normal, distance = frame.plane(
            np.asarray(self._plane_position, float)[::-1] + 0.5,
            np.asarray(self._plane_normal, float)[::-1],
        )
        program["octree_plane_normal"] = normal
        program["octree_plane_distance"] = distance
        scene = np.eye(4) if to_scene is None else to_scene
        for n, (position, direction) in enumerate(self._clipping_planes):
            self._clip_func[f"plane{n}"] = frame.clipping_plane(scene, position, direction)

    def _set_step(self, factor: float) -> None:
        # The step of a plane is its thickness' unit: longer ones would make it thinner.
        longer = 1.0 if self.raycasting_mode == "plane" else factor
        self.shared_program["octree_step_factor"] = longer
        self.relative_step_size = STEP * longer

    def _highest_clear(self) -> float:
        cmap, clim = self.cmap, self._texture.clim_normalized
        if self._encoding.texels.channels > 1 or isinstance(clim, str):
            return NOTHING
        if self._clear_of is not cmap:
            self._clear_of, self._clear_share = cmap, clear_share(cmap)
        return highest_clear(self._clear_share, clim, self.gamma)

    def _place_levels(self, origin: np.ndarray) -> None:
        geometry = self._geometry
        relative = (origin[::-1] - geometry.translation) / geometry.pitch
        base = np.floor(relative)
        self._set_table("base", base)
        self._set_table("fraction", relative - base)
        level = geometry.table_level
        for name, row in (
            ("pitch", geometry.pitch[level]),
            ("last", geometry.last[level]),
            ("base", base[level]),
            ("fraction", (relative - base)[level]),
        ):
            self.shared_program[f"octree_table_{name}"] = _xyz(row)

    def _set_table(self, name: str, rows: np.ndarray) -> None:
        """Hand over one row per level, (z, y, x)."""
        # One by one: vispy forgets the shape of whole arrays when it compiles again. Unused levels
        # too: it wants a value for everything.
        for level in range(MAX_LEVELS):
            row = rows[level] if level < len(rows) else np.ones(3)
            self.shared_program[f"octree_{name}[{level}]"] = _xyz(row)

    def _prepare_transforms(self, view: Any) -> None:
        """Leave the transforms to `set_place`."""

    def draw(self) -> None:
        """Draw in the quality that `pictures` are asked for."""
        if not self.visible or self._prepare_draw(self) is False:
            return
        pictures = self.pictures
        if pictures.in_one_piece:
            pictures.begin()
            self._configure_gl_state()
            self._cast()
            return
        state = self._state()
        if pictures.lacks_strips(state) and not exports_of(self.canvas).painting:
            # Taken for a picture: what stands in for strips that are to come is not for that.
            pictures.cast_share = None
            self._configure_gl_state()
            self._cast()
            return
        pictures.begin()
        pictures.draw(self.canvas, state, self._cast, self._set_step, self._vshare.gl_state)

    def _state(self) -> tuple[Any, ...]:
        """All that a picture depends on, whatever its quality."""
        size = viewport_size(self.canvas)
        return self.content, size, self.cmap, drawn_with(self._program, QUALITY)

    def _cast(self) -> None:
        self._program.draw(self._vshare.draw_mode, self._vshare.index_buffer)

    def _prepare_draw(self, view: Any) -> bool | None:
        self._on_prepare(self)
        matrices = volume_matrices(self)
        half = np.eye(4)
        half[3, :3] = -0.5
        # vispy clips half a voxel off: it takes texture coordinates for data coordinates there.
        self.set_place(
            half @ matrices.to_render, matrices.focus + 0.5, matrices.to_scene, matrices.size
        )
        if self._need_vertex_update:
            self._create_vertex_data()
        if self._need_interpolation_update:
            self._build_interpolation()
        return None


def _xyz(zyx: Any) -> tuple[float, ...]:
    """Turn the axes round: here (z, y, x) becomes GL's (x, y, z)."""
    return tuple(float(v) for v in np.asarray(zyx)[::-1])
