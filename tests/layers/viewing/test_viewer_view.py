"""View links: what is taken is what is shown again; what is none is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_octree.layers.viewing.viewer_view import SCHEME, ViewerView

NUMBER = st.floats(-1e9, 1e9)


@given(
    center=st.tuples(NUMBER, NUMBER, NUMBER),
    zoom=st.floats(1e-9, 1e9),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    point=st.lists(NUMBER, max_size=5).map(tuple),
    ndisplay=st.sampled_from([2, 3]),
)
def test_links_say_all(center, zoom, angles, point, ndisplay):
    view = ViewerView(center, zoom, angles, 10.0, ndisplay, (1, 0, 2), point)
    assert " " not in view.link
    assert ViewerView.from_link(view.link) == view


@pytest.mark.parametrize(
    "text",
    ["", "https://x", SCHEME, SCHEME + "{", SCHEME + "[]", SCHEME + '{"zoom":1}',
     SCHEME + '{"center":[1,2],"zoom":NaN}', SCHEME + '{"center":[1,2],"zoom":-1}',
     SCHEME + '{"center":[1,2],"zoom":1,"path":"x"}', SCHEME + '{"center":"ab","zoom":1}',
     SCHEME + '{"center":[1,2],"zoom":1,"order":[3]}', SCHEME + '{"center":1,"zoom":1}'],
)  # fmt: skip
def test_what_is_no_link_is_refused(text):
    with pytest.raises(ValueError, match="no view link"):
        ViewerView.from_link(text)


def test_a_view_is_shown_again():
    viewer = ViewerModel()
    viewer.dims.ndim = 4
    viewer.dims.range = [(0, 99, 1)] * 4
    viewer.dims.order = (1, 0, 3, 2)
    viewer.dims.point = (5, 6, 7, 8)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (1, 2, 3), 4
    view = ViewerView.of(viewer)
    other = ViewerModel()
    other.dims.ndim = 4
    other.dims.range = [(0, 99, 1)] * 4
    view.apply(other)
    assert ViewerView.of(other) == view
    fewer = ViewerModel()
    fewer.dims.range = [(0, 99, 1)] * 2
    view.apply(fewer)
    assert fewer.dims.point == (7, 8)
