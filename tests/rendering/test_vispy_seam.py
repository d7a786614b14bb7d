"""What we do in vispy's place does what vispy does: matrices, and uploads past its queue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from OpenGL import GL
from vispy import gloo
from vispy.gloo import gl

from napari_octree import OctreeConfig, OctreeImage
from napari_octree.rendering import _vispy
from napari_octree.rendering.gpu import node_matrices
from napari_octree.rendering.gpu.texture_encoding import texture_encoding
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.volume.brick_encoding import BrickEncoding
from napari_octree.rendering.volume.texture_atlas_3d import TextureAtlas3D


def mapped(transform: Any) -> np.ndarray:
    return np.asarray(transform.map(np.eye(4)), np.float64)


def test_matrices_are_those_of_the_transforms(make_viewer) -> None:
    viewer = make_viewer()
    data = np.zeros((64, 80), np.uint8)
    for i in range(2):
        layer = OctreeImage([data], scale=(2, 3), rotate=20, shear=[0.3], translate=(5, -7 * i))
        viewer.add_layer(layer)
    viewer.canvas.grid.enabled = True
    viewer.scene.camera.zoom = 1.7
    viewer.screenshot(canvas_only=True, flash=False)
    for layer in viewer.layers:
        node = layer._views[0].node
        matrices = node_matrices.tile_matrices(node)
        viewbox = node_matrices.viewbox_of(node)
        to_scene = mapped(node.node_transform(viewbox.scene))
        # vispy's camera is in float32.
        to_viewbox = to_scene @ mapped(viewbox.scene.transform)
        np.testing.assert_allclose(matrices.to_viewbox, to_viewbox, rtol=1e-5, atol=1e-3)
        outer = mapped(viewbox.node_transform(node.document_node))
        outer = outer @ mapped(node.transforms.get_transform("document", "render"))
        np.testing.assert_allclose(
            matrices.to_render, matrices.to_viewbox @ outer, rtol=1e-12, atol=1e-12
        )


def test_matrices_follow_everything_that_moves_a_node(make_viewer) -> None:
    viewer = make_viewer()
    for _ in range(2):
        viewer.add_layer(OctreeImage([np.zeros((64, 80), np.uint8)]))
    layer, camera = viewer.layers[1], viewer.scene.camera
    canvas = viewer.window._qt_viewer.canvas
    node = layer._views[0].node
    watched = node_matrices.WatchedTileMatrices(node)

    def set_far(centre: tuple[float, float, float]) -> None:
        camera.center = centre

    def enlarge() -> None:
        canvas.native.setFixedSize(430, 310)
        canvas._scene_canvas.events.resize(size=(430, 310))

    moves = [
        lambda: setattr(camera, "zoom", 2.5),
        lambda: setattr(camera, "center", (0, 11, 13)),
        lambda: setattr(camera, "orientation2d", ("up", "left")),
        lambda: setattr(layer, "scale", (2, 3)),
        lambda: setattr(layer, "rotate", 30),
        lambda: setattr(layer, "translate", (5, 6)),
        lambda: set_far((0, 2.0**30, 2.0**30)),
        lambda: set_far((0, 2.0**30 + 0.25, 2.0**30)),  # less than float32 can tell
        lambda: setattr(viewer.canvas.grid, "enabled", True),
        enlarge,
        lambda: setattr(viewer.canvas.grid, "enabled", False),
    ]
    for move in moves:
        before = watched.now()
        assert watched.now() is before
        move()
        now, anew = watched.now(), node_matrices.tile_matrices(node)
        assert now is not before
        for have, want in zip(now, anew, strict=True):
            np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize("width", [4, 5, 7])
@pytest.mark.parametrize(("dtype", "channels"), [("u1", 1), ("u2", 1), ("f4", 1), ("u1", 4)])
def test_an_upload_has_arrived_when_it_returns(viewer, dtype, channels, width) -> None:
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.set_current()
    atlas = TextureAtlas2D(texture_encoding(np.dtype(dtype), channels), (width, width), 0, (2, 2))
    shape = (3, width) if channels == 1 else (3, width, channels)
    tiles = [np.random.default_rng(i).integers(1, 255, shape).astype(dtype) for i in range(2)]
    for i, tile in enumerate(tiles):  # the first finds the texture not made yet
        atlas.add(i, tile, True, ())
    parser = canvas.context.shared.parser
    parser.get_object(atlas.id).activate()
    layout = gl.GL_RGBA if channels == 4 else 6403  # GL_RED
    kind = {"u1": gl.GL_UNSIGNED_BYTE, "u2": gl.GL_UNSIGNED_SHORT, "f4": gl.GL_FLOAT}[dtype]
    from OpenGL import GL

    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
    raw = GL.glGetTexImage(GL.GL_TEXTURE_2D, 0, layout, kind, outputType=bytes)
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 4)
    side = atlas.extent[0]
    whole = np.frombuffer(raw, dtype).reshape(side, side, channels)
    for i, tile in enumerate(tiles):
        _, row, column = atlas.origin(atlas.slots[i])
        found = whole[row : row + 3, column : column + width]
        assert (found == tile.reshape(found.shape)).all()
    assert gl.glGetParameter(gl.GL_UNPACK_ALIGNMENT) == 4
    _vispy.delete_texture(canvas, atlas)


@pytest.mark.parametrize(
    ("dtype", "channels"), [("u1", 1), ("u2", 1), ("f4", 1), ("u1", 3), ("u1", 4)]
)
def test_an_atlas_of_bricks_grows_around_what_it_holds(viewer, dtype, channels) -> None:
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.set_current()
    encoding = BrickEncoding(texture_encoding(np.dtype(dtype), channels), (4, 4, 4))
    atlas = TextureAtlas3D(encoding, (3, 2, 2))
    atlas.interpolation = "nearest"
    colour = (channels,) if channels > 1 else ()
    rng = np.random.default_rng(0)
    bricks = [
        encoding.encode(rng.integers(1, 255, (8, 8, 8, *colour)).astype(dtype)) for _ in range(11)
    ]

    def put(i: int) -> None:
        slot, evicted = atlas.stage(i, True, ())
        assert slot is not None
        assert evicted is None
        atlas.write(slot, bricks[i], slice(0, 8))

    for i in range(3):
        put(i)
    assert atlas.slots.capacity == 3
    nbytes = atlas.nbytes
    atlas.allow(2 * nbytes)
    assert atlas.reserve(11)
    assert atlas.slots.capacity == atlas.most == 7
    atlas.allow(nbytes)  # never less than it has
    assert atlas.most == 7
    atlas.allow(100 * nbytes)
    assert atlas.reserve(8)
    assert atlas.slots.capacity == atlas.most == 11
    assert atlas.nbytes == 3 * nbytes
    for i in range(3, 11):
        put(i)
    texels = texels_of(canvas, atlas, dtype, channels).reshape(3, 8, 2, 8, 2, 8, channels)
    ranges = texels_of(canvas, atlas.ranges, "f4", 4).reshape(3, 2, 2, 4)[..., :2]
    for i, brick in enumerate(bricks):
        z, y, x = np.unravel_index(atlas.number(atlas.slots[i]), atlas.grid)
        found = texels[z, :, y, :, x]
        assert (found == brick["texels"][0].reshape(found.shape)).all()
        assert (ranges[z, y, x] == brick["cells"][0, 0, 0, 0]).all()
    assert atlas.interpolation == "nearest"
    for texture in (atlas.ranges, atlas):
        _vispy.delete_texture(canvas, texture)


def texels_of(canvas: Any, texture: Any, dtype: str, channels: int) -> np.ndarray:
    """All that a 3-D texture holds."""
    from OpenGL import GL

    canvas.context.shared.parser.get_object(texture.id).activate()
    layout = {1: GL.GL_RED, 3: GL.GL_RGB, 4: GL.GL_RGBA}[channels]
    kind = {"u1": GL.GL_UNSIGNED_BYTE, "u2": GL.GL_UNSIGNED_SHORT, "f4": GL.GL_FLOAT}[dtype]
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
    raw = GL.glGetTexImage(GL.GL_TEXTURE_3D, 0, layout, kind, outputType=bytes)
    GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 4)
    return np.frombuffer(raw, dtype)


def test_one_upload_is_timed_until_the_gpu_has_done_it(viewer) -> None:
    config = OctreeConfig(octree={"tile_size": 64})
    layer = OctreeImage([np.ones((512, 512), np.uint16)], config=config, contrast_limits=(0, 2))
    viewer.add_layer(layer)
    viewer.scene.camera.zoom = 1
    assert layer.wait_until_settled(30)
    (view,) = layer.statistics.views
    assert view.uploads > 16
    check = view.upload_check
    assert check.nbytes >= 2 * 64**2
    assert 0 < check.issued_ms <= check.done_ms
    assert check.gpu_ms is None or check.gpu_ms >= 0
    assert layer.statistics.as_dict()["views"][0]["upload_check"]["nbytes"] == check.nbytes


def test_a_program_is_deleted_after_another_has_drawn(viewer, pump) -> None:
    """Mesa ends the process in a later draw if it is deleted as the last one that drew."""
    layer = viewer.add_layer(OctreeImage(np.zeros((8, 8), np.uint8)))
    assert layer.wait_until_settled()
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    canvas.set_current()
    one, other = (
        gloo.Program(
            "attribute vec2 a_place; void main() { gl_Position = vec4(a_place, 0, 1); }",
            "void main() { gl_FragColor = vec4(1); }",
        )
        for _ in range(2)
    )
    for program in (one, other):
        program["a_place"] = np.zeros((3, 2), np.float32)
    one.draw("triangles")
    canvas.context.flush_commands()
    handle = canvas.context.shared.parser.env["current_program"]
    one.delete()
    canvas.context.flush_commands()
    assert GL.glIsProgram(handle)
    other.draw("triangles")
    canvas.context.flush_commands()
    assert not GL.glIsProgram(handle)
    other.delete()
    assert layer.wait_until_settled()


def test_a_flat_layer_seen_in_3d_may_go_at_once(viewer) -> None:
    """Its program was in use when it went: the next volume ended the process."""
    rng = np.random.default_rng(0)
    flat = viewer.add_layer(OctreeImage(rng.integers(0, 255, (512, 512), np.uint8)))
    assert flat.wait_until_settled()
    viewer.dims.ndisplay = 3
    assert flat.wait_until_settled()
    viewer.dims.ndisplay = 2
    viewer.layers.clear()
    volume = viewer.add_layer(OctreeImage(rng.integers(0, 255, (128, 128, 128), np.uint8)))
    viewer.dims.ndisplay = 3
    assert volume.wait_until_settled()
    viewer.dims.ndisplay = 2
