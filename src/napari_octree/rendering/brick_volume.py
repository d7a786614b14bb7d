"""BrickVolume: napari's volume node, drawn from an octree of bricks.

Invariants: node coordinates are data coordinates (the centre of the first voxel is 0), as in
napari's own volume. Drawing reads uniforms and three textures (atlas, its value ranges, nodes);
nothing is uploaded by moving the camera, contrast, colour map or rendering mode. All matrices are
composed in float64 relative to an integer origin near the focus, so that float32 on the GPU is
exact there, however large the image. vispy's volume gives contrast limits, gamma, colour maps and
lighting; its texture lookup, its rays and its loops are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from vispy.visuals.shaders import Function

from napari_octree.octree.octree import Octree
from napari_octree.rendering._vispy import Volume, delete_texture, volume_matrices
from napari_octree.rendering.brick_encoding import BrickEncoding
from napari_octree.rendering.node_texture import MAX_LEVELS, NodeGeometry, NodeTexture
from napari_octree.rendering.texture_atlas_3d import TextureAtlas3D

MODES = ("mip", "minip", "attenuated_mip", "translucent", "additive", "average", "iso")

STEP = 0.8
"""Voxels between samples, as vispy's."""

_CLIP_PLANE = """
    approach = dot($plane{n}.xyz, direction);
    inside = dot($plane{n}.xyz, origin) + $plane{n}.w;
    if (approach > 0.0) interval.x = max(interval.x, -inside / approach);
    else if (approach < 0.0) interval.y = min(interval.y, -inside / approach);
    else if (inside < 0.0) interval.y = -1e30;
"""
_CLIP = """
vec2 clip_ray(vec3 origin, vec3 direction) {{
    vec2 interval = vec2(-1e30, 1e30);
    float approach;
    float inside;
    {planes}
    return interval;
}}
"""


def _shader(name: str) -> str:
    return (files("napari_octree.rendering") / "shaders" / name).read_text(encoding="utf-8")


@cache
def _fragment_shader() -> str:
    # The lighting and colour functions are vispy's own, to the bit.
    prelude, main, _ = str(Volume._shaders["fragment"]).partition("void main()")
    if not main or "applyColormap" not in prelude or "calculateColor" not in prelude:
        raise RuntimeError("vispy's volume shader has changed: cannot take its functions")
    return f"varying vec2 v_clip;\n{prelude}{_shader('bricks.glsl')}{_shader('brick_volume.frag')}"


@cache
def _mode(name: str) -> Mapping[str, str]:
    """The sections of a mode's file: before_loop, skip_test, in_loop, after_loop."""
    sections: dict[str, str] = {}
    for part in _shader(f"modes/{name}.glsl").split("//: ")[1:]:
        title, _, code = part.partition("\n")
        sections[title.strip()] = code
    return sections


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
    """

    _texture: TextureAtlas3D
    _interpolation: str
    _shaders = {"vertex": _shader("brick_volume.vert"), "fragment": _fragment_shader()}  # noqa: RUF012
    _rendering_methods = {mode: _mode(mode) for mode in MODES}  # noqa: RUF012
    _raycasting_modes = {  # noqa: RUF012
        "volume": _shader("ray_volume.glsl"),
        "plane": _shader("ray_plane.glsl"),
    }
    _func_templates = {**Volume._func_templates, "texture_lookup": _shader("brick_lookup.glsl")}  # noqa: RUF012

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
        self._clip_matrix = np.eye(4)
        super().__init__(
            np.zeros((1, 1, 1), np.float32), clim=(0, 1), texture_format="auto", **keywords
        )
        self.unfreeze()
        self.fade = 1.0
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
        """Draw from `atlas`, placed by `geometry`; nothing is shown until `show`."""
        if atlas is not self._texture:
            atlas.set_clim(self._texture.clim)
            atlas.interpolation = self._texture.interpolation
        self._texture = atlas
        self._geometry = geometry
        self._origin = None
        if self._nodes is not None:
            delete_texture(self.canvas, self._nodes.texture)
        self._nodes = NodeTexture(geometry, atlas.grid)
        program = self.shared_program
        program["u_volumetex"] = atlas
        program["octree_nodes"] = self._nodes.texture
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
        skip_test = self._rendering_methods[method]["skip_test"]
        self.shared_program.frag["skip_test"] = skip_test
        self.shared_program.frag["uses_cells"] = "true" if skip_test.strip() else "false"

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
        code = "".join(_CLIP_PLANE.format(n=n) for n in range(len(planes)))
        self._clipping_planes = planes
        self._clip_func = Function(_CLIP.format(planes=code))
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
        self, to_clip: np.ndarray, focus: np.ndarray, to_scene: np.ndarray | None = None
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
        """
        extent = np.array(self._geometry.octree.extent[::-1], float)
        origin = np.floor(np.clip(focus, 0, extent))
        if self._origin is None or (origin != self._origin).any():
            self._origin = origin
            self._place_levels(origin)
        shift = np.eye(4)
        shift[3, :3] = origin
        matrix = shift @ to_clip
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:  # a transform that flattens the volume: nothing to see
            inverse = np.zeros((4, 4))
        program = self.shared_program
        program["octree_box_low"] = tuple(-origin)
        program["octree_box_high"] = tuple(extent - origin)
        for name, vector in _rays(matrix, inverse, focus - origin).items():
            program[f"octree_{name}"] = tuple(vector)
        near = matrix[:, 2] + matrix[:, 3]
        program["octree_near"] = tuple(near / max(np.linalg.norm(near[:3]), 1e-300))
        program["octree_depth_z"] = tuple(matrix[:, 2])
        program["octree_depth_w"] = tuple(matrix[:, 3])
        # Planes are given in data coordinates, half a voxel off octree coordinates.
        normal = np.asarray(self._plane_normal, float)[::-1]
        normal = normal / max(np.linalg.norm(normal), 1e-300)
        position = np.asarray(self._plane_position, float)[::-1] + 0.5 - origin
        program["octree_plane_normal"] = tuple(normal)
        program["octree_plane_distance"] = float(normal @ position)
        scene = shift @ (np.eye(4) if to_scene is None else to_scene)
        for n, (place, direction) in enumerate(self._clipping_planes):
            gradient = scene[:3, :3] @ direction
            offset = float((scene[3, :3] - place) @ direction)
            length = max(float(np.linalg.norm(gradient)), 1e-300)
            self._clip_func[f"plane{n}"] = (*(gradient / length), offset / length)

    def _place_levels(self, origin: np.ndarray) -> None:
        geometry = self._geometry
        relative = (origin[::-1] - geometry.translation) / geometry.pitch
        base = np.floor(relative)
        self._set_table("base", base)
        self._set_table("fraction", relative - base)

    def _set_table(self, name: str, rows: np.ndarray) -> None:
        """Hand over one row per level, (z, y, x)."""
        # One by one: vispy forgets the shape of whole arrays when it compiles again. Unused levels
        # too: it wants a value for everything.
        for level in range(MAX_LEVELS):
            row = rows[level] if level < len(rows) else np.ones(3)
            self.shared_program[f"octree_{name}[{level}]"] = _xyz(row)

    def _prepare_transforms(self, view: Any) -> None:
        """Leave the transforms to `set_place`."""

    def _prepare_draw(self, view: Any) -> bool | None:
        self._on_prepare(self)
        matrices = volume_matrices(self)
        half = np.eye(4)
        half[3, :3] = -0.5
        # vispy clips half a voxel off: it takes texture coordinates for data coordinates there.
        self.set_place(half @ matrices.to_render, matrices.focus + 0.5, matrices.to_scene)
        if self._need_vertex_update:
            self._create_vertex_data()
        if self._need_interpolation_update:
            self._build_interpolation()
        return None


def _rays(matrix: np.ndarray, inverse: np.ndarray, focus: np.ndarray) -> dict[str, np.ndarray]:
    """Where the rays pass the plane through the focus, and their directions there.

    Both are affine in clip coordinates on a plane of constant depth.
    """
    clip = np.r_[focus, 1.0] @ matrix
    depth = float(clip[2] / clip[3]) if clip[3] > 0 else 0.5

    def place(x: float, y: float, z: float) -> np.ndarray:
        point = np.array([x, y, z, 1.0]) @ inverse
        return np.asarray(point[:3] / (point[3] or 1.0))

    corners = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    points = [place(x, y, depth) for x, y in corners]
    sights = [point - place(x, y, -1.0) for point, (x, y) in zip(points, corners, strict=True)]
    length: float = max(float(np.linalg.norm(sights[0])), 1e-300)
    return {
        "ray": points[0],
        "ray_x": points[1] - points[0],
        "ray_y": points[2] - points[0],
        "sight": sights[0] / length,
        "sight_x": (sights[1] - sights[0]) / length,
        "sight_y": (sights[2] - sights[0]) / length,
    }


def _xyz(zyx: Any) -> tuple[float, ...]:
    """Turn the axes round: here (z, y, x) becomes GL's (x, y, z)."""
    return tuple(float(v) for v in np.asarray(zyx)[::-1])
