"""Where the points of a node go on the canvas, in float64.

Invariants: vispy's row-vector convention (point @ matrix), axis order (x, y, z, w): this is where
axis order turns round on the way to GL. vispy's own transforms keep the camera in float32, which
is wrong by whole pixels beyond 2^24; what is composed here is not.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from vispy.scene.cameras import PanZoomCamera
from vispy.scene.node import Node
from vispy.scene.widgets import ViewBox
from vispy.visuals.transforms import ChainTransform, MatrixTransform, NullTransform, STTransform

from napari_octree.rendering._vispy import camera_rect

_IDENTITY = np.eye(4)


def viewbox_of(node: Node) -> ViewBox | None:
    """The view box (one per grid cell) that `node` is drawn in."""
    while node is not None and not isinstance(node, ViewBox):
        node = node.parent
    return node


def _matrix(transform: Any) -> np.ndarray:
    """What `transform.map` does to homogeneous rows; the usual kinds without going through it."""
    kind = type(transform)
    if kind is MatrixTransform:
        return np.asarray(transform.matrix, np.float64)
    if kind is STTransform or kind is ChainTransform:
        return _product([transform])
    return np.asarray(transform.map(np.eye(4)), np.float64)


def _product(transforms: Iterable[Any], matrix: np.ndarray = _IDENTITY) -> np.ndarray:
    """One after the other, after `matrix`."""
    for transform in transforms:
        kind = type(transform)
        if kind is STTransform:
            matrix = matrix * transform.scale + matrix[:, 3:] * transform.translate
        elif kind is ChainTransform:
            matrix = _product(reversed(transform.transforms), matrix)
        elif kind is not NullTransform:
            matrix = matrix @ _matrix(transform)
    return matrix


def _above(node: Node, ancestor: Node) -> list[Any]:
    """Lead from a node's own coordinates to those of one above it: one after the other."""
    steps = []
    while node is not ancestor:
        steps.append(node.transform)
        node = node.parent
    return steps


def _camera_matrix(viewbox: ViewBox) -> np.ndarray:
    """Scene to view box, in float64 where the camera tells its rectangle."""
    matrix = _matrix(viewbox.scene.transform)
    camera = viewbox.camera
    if not isinstance(camera, PanZoomCamera):
        return matrix
    # As PanZoomCamera._update_transform, which stores its result as float32.
    source = camera_rect(camera)
    target = viewbox.rect.flipped(x=camera.flip[0], y=not camera.flip[1])
    for axis, (s0, s1, t0, t1) in enumerate(
        (
            (source.left, source.right, target.left, target.right),
            (source.bottom, source.top, target.bottom, target.top),
        )
    ):
        scale = (t1 - t0) / (s1 - s0)
        matrix[axis, axis] = scale
        matrix[3, axis] = t0 - scale * s0
    return matrix


class TileMatrices(NamedTuple):
    """Where the points of a 2-D node go; see `tile_matrices`."""

    to_viewbox: np.ndarray
    to_render: np.ndarray
    size: tuple[float, float]
    pixel_scale: float

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Length (x, y) of a framebuffer pixel in node coordinates."""
        x, y = 1 / (np.linalg.norm(self.to_viewbox[:2, :2], axis=1) * self.pixel_scale)
        return float(x), float(y)


def tile_matrices(node: Node) -> TileMatrices:
    """Where the points of a node in a 2-D view go.

    Parameters
    ----------
    node : vispy node in a view box

    Returns
    -------
    to_viewbox : (4, 4) float64
        Node coordinates to view box pixels (logical, y down).
    to_render : (4, 4) float64
        Node coordinates to clip coordinates.
    size : (width, height)
        Of the view box in logical pixels.
    pixel_scale : float
        Framebuffer pixels per logical pixel (high DPI).
    """
    viewbox = viewbox_of(node)
    if viewbox is None:
        raise ValueError("the node is not in a view box yet")
    return _in_scene(node, viewbox, _scene_matrices(viewbox, node))


def _in_scene(node: Node, viewbox: ViewBox, scene: TileMatrices) -> TileMatrices:
    """Of a node, given where its view box' pixels, and the points of its scene, go."""
    to_viewbox = _product(_above(node, viewbox.scene)) @ scene.to_viewbox
    return TileMatrices(to_viewbox, to_viewbox @ scene.to_render, *scene[2:])


def _scene_matrices(viewbox: ViewBox, node: Node) -> TileMatrices:
    """Scene to view box, but from there to clip coordinates, for any node in a view box."""
    transforms = node.transforms
    outer = (
        *_above(viewbox, node.document_node),
        transforms.document_transform,
        transforms.canvas_transform,
        transforms.framebuffer_transform,
    )
    return TileMatrices(_camera_matrix(viewbox), _product(outer), *_size(node))


def _size(node: Node) -> tuple[tuple[float, float], float]:
    viewbox, canvas = viewbox_of(node), node.canvas
    width, height = (0, 0) if viewbox is None else viewbox.size
    pixel_scale = float(canvas.pixel_scale) if canvas is not None else 1.0
    return (float(width), float(height)), pixel_scale


class _WatchedScene:
    """The part of `tile_matrices` that all nodes of a view box share: one look for all layers.

    `now` returns the same object as before as long as nothing has changed.
    """

    def __init__(self, viewbox: ViewBox) -> None:
        self._matrices: TileMatrices | None = None
        self._sizes: tuple[Any, ...] = ()
        # Weakly: this lives as long as the view box, which the canvas owns.
        self._canvas: weakref.ref[Any] = weakref.ref(viewbox)
        self._transform: weakref.ref[Any] = weakref.ref(viewbox)
        self._moved = True
        viewbox.transforms.changed.connect(self._on_moved)  # vispy holds methods weakly

    def _on_moved(self, event: Any = None) -> None:
        self._moved = True

    def now(self, viewbox: ViewBox, node: Node) -> TileMatrices:
        canvas, transform = node.canvas, viewbox.scene.transform
        # Of the framebuffer, as to ask for the canvas' own size takes a call of Qt.
        sizes = (viewbox.size, canvas and canvas.physical_size)
        if self._transform() is not transform:
            transform.changed.connect(self._on_moved)
            self._transform, self._moved = weakref.ref(transform), True
        if sizes != self._sizes or self._canvas() is not canvas:
            self._sizes, self._moved = sizes, True
            self._canvas = weakref.ref(viewbox if canvas is None else canvas)
        if self._moved or self._matrices is None:
            self._matrices, self._moved = _scene_matrices(viewbox, node), False
        return self._matrices


_scenes: WeakKeyDictionary[ViewBox, _WatchedScene] = WeakKeyDictionary()


class WatchedTileMatrices:
    """The `tile_matrices` of one node, composed anew only after something has moved.

    Invariant: `now` returns the same object as before as long as nothing has changed. vispy tells
    of every change of a transform between a node and the canvas: of a camera's even where its
    numbers stay the same, as they do in float32 when a far view moves a little.

    Parameters
    ----------
    node : vispy node
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._moved = True
        self._matrices: TileMatrices | None = None
        self._scene: TileMatrices | None = None
        self._watched: _WatchedScene | None = None
        self._viewbox: weakref.ref[Any] = weakref.ref(node)
        node.transforms.changed.connect(self._on_moved)  # vispy holds methods weakly

    def _on_moved(self, event: Any = None) -> None:
        self._moved = True

    def now(self) -> TileMatrices:
        """Where the points of the node go, which must be in a view box."""
        node = self._node
        viewbox = viewbox_of(node)
        if viewbox is None:
            raise ValueError("the node is not in a view box yet")
        watched = self._watched
        if watched is None or self._viewbox() is not viewbox:
            watched = _scenes.get(viewbox) or _scenes.setdefault(viewbox, _WatchedScene(viewbox))
            self._watched, self._viewbox = watched, weakref.ref(viewbox)
        scene = watched.now(viewbox, node)
        if self._matrices is None or self._moved or scene is not self._scene:
            self._matrices = _in_scene(node, viewbox, scene)
            self._moved, self._scene = False, scene
        return self._matrices


class VolumeMatrices(NamedTuple):
    """Where a 3-D node's points go; see `volume_matrices`."""

    to_render: np.ndarray
    to_scene: np.ndarray
    focus: np.ndarray
    size: tuple[float, float]


def volume_matrices(node: Node) -> VolumeMatrices:
    """Where the points of a node in a 3-D view go.

    Parameters
    ----------
    node : vispy node in a view box, in the course of a draw (or after one)

    Returns
    -------
    to_render, to_scene : (4, 4) float64
        Node coordinates to clip space, and to the scene's own coordinates (those of the camera's
        centre and of clipping planes).
    focus : (3,) float64
        The point that the camera turns around, (x, y, z) in node coordinates.
    size : (width, height)
        Of the view box in framebuffer pixels.
    """
    viewbox = viewbox_of(node)
    if viewbox is None:
        raise ValueError("the node is not in a view box yet")
    to_scene = _matrix(node.node_transform(viewbox.scene))
    to_render = _matrix(node.transforms.get_transform("visual", "render"))
    centre = np.r_[np.asarray(viewbox.camera.center, np.float64)[:3], 1.0]
    try:
        focus = (centre @ np.linalg.inv(to_scene))[:3]
    except np.linalg.LinAlgError:  # a transform that flattens the layer
        focus = np.zeros(3)
    canvas = node.canvas
    pixel_scale = float(canvas.pixel_scale) if canvas is not None else 1.0
    width, height = viewbox.rect.size
    return VolumeMatrices(
        to_render, to_scene, focus, (float(width) * pixel_scale, float(height) * pixel_scale)
    )
