import warnings
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_octree.sources import SourceError
from napari_octree.sources.ome_zarr.metadata import Channel, OmeZarrWarning
from napari_octree.sources.ome_zarr.metadata.scales import reconcile_scales
from napari_octree.sources.ome_zarr.multiscales import parse_images

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def attributes(datasets=None, **keywords):
    scale = [{"type": "scale", "scale": [1, 0.5, 0.5]}]
    datasets = datasets or [{"path": "0", "coordinateTransformations": scale}]
    return {"multiscales": [{"version": "0.4", "axes": AXES, "datasets": datasets, **keywords}]}


def parse(values, ndim=3):
    (image,) = parse_images(values, ndim, "here")
    return image


def test_version_0_5_is_below_ome():
    values = attributes()
    image = parse({"ome": {"version": "0.5", **values}, "multiscales": "elsewhere"})
    assert image.version == "0.4"  # the image's own, if it has one
    del values["multiscales"][0]["version"]
    assert parse({"ome": {"version": "0.5", **values}}).version == "0.5"


def test_axes_of_version_0_3_are_names():
    image = parse({"multiscales": [{"axes": ["t", "c", "x"], "datasets": [{"path": "0"}]}]})
    assert [axis.type for axis in image.axes] == ["time", "channel", "space"]
    assert image.channel_axis == 1


def test_an_axis_is_a_channel_by_type_or_by_name():
    axes = [{"name": "wavelength", "type": "channel"}, {"name": "y"}, {"name": "x"}]
    assert parse(attributes(axes=axes)).channel_axis == 0
    axes[0] = {"name": "C"}
    assert parse(attributes(axes=axes)).channel_axis == 0
    axes[0] = {"name": "c", "type": "space"}
    assert parse(attributes(axes=axes)).channel_axis is None


def test_transformations_are_applied_in_order():
    datasets = [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 2, 3]},
                {"type": "translation", "translation": [0, 10, 20]},
            ],
        }
    ]
    common = [{"type": "scale", "scale": [1, 10, 10]}, {"type": "identity"}]
    (dataset,) = parse(attributes(datasets, coordinateTransformations=common)).datasets
    assert dataset.scale == (1, 20, 30)
    assert dataset.translation == (0, 100, 200)


@pytest.mark.parametrize(
    "transformation",
    [
        {"type": "affine", "affine": []},
        {"type": "scale", "scale": [1, 2]},
        {"type": "scale", "scale": [0, "2", float("nan")]},
        {"type": "scale", "scale": "1, 2, 3"},
        {"type": "scale", "path": "somewhere"},
        {"type": "translation"},
        "scale",
    ],
)
def test_transformations_that_cannot_be_used_are_warned_of(transformation):
    datasets = [{"path": "0", "coordinateTransformations": [transformation]}]
    with pytest.warns(OmeZarrWarning, match="here: level '0': cannot use"):
        (dataset,) = parse(attributes(datasets)).datasets
    assert (dataset.scale, dataset.translation) == (None, None)


@pytest.mark.parametrize("odd", [0, "3", None, float("nan"), float("inf"), True, 10**400])
def test_a_number_of_no_use_costs_its_axis_only(odd):
    own = [
        {"type": "scale", "scale": [odd, 2, 3]},
        {"type": "translation", "translation": ["x", 5, 6]},
    ]
    with pytest.warns(OmeZarrWarning, match="here: level '0': cannot use all"):
        (dataset,) = parse(attributes([{"path": "0", "coordinateTransformations": own}])).datasets
    assert (dataset.scale, dataset.translation) == ((1, 2, 3), (0, 5, 6))


def test_missing_transformations_are_warned_of_where_they_are_required():
    with pytest.warns(OmeZarrWarning, match="level '0' has no coordinateTransformations"):
        parse(attributes([{"path": "0"}]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parse(attributes([{"path": "0"}], version="0.2"))


def scales(*values):
    return [
        {"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for k, scale in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("second", "shape", "kept"),
    [
        ([1, 2, 2], (2, 50, 51), True),
        ([1, 2, 2], (2, 50, 50), True),
        ([1, 2, 101 / 51], (2, 50, 51), True),
        ([1, 1, 1], (2, 50, 51), False),
        ([1, 4, 4], (2, 50, 51), False),
    ],
)
def test_scales_that_contradict_the_shapes_are_dropped(second, shape, kept):
    image = parse(attributes(scales([1, 1, 1], second)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = reconcile_scales(image, [(2, 100, 101), shape], "here")
    assert image.datasets[0].scale == (1, 1, 1)
    assert (image.datasets[1].scale is not None) is kept
    assert [str(w.message)[:28] for w in caught] == ["here: the scale of level '1'"] * (not kept)


def test_channels():
    values = attributes()
    values["omero"] = {
        "name": "the image",
        "rdefs": {"model": "greyscale"},
        "channels": [
            {
                "label": "DAPI",
                "color": "0000ffAA",
                "inverted": True,
                "window": {"start": 1, "end": 5, "min": 0, "max": 9.5},
            },
            {"active": False, "color": "FF0000", "window": {"start": 5, "end": 5}},
            {},
        ],
    }
    image = parse(values)
    assert image.name == "the image"
    assert image.greyscale
    assert image.channels == (
        Channel("DAPI", "#0000ff", (1, 5), (0, 9.5), inverted=True),
        Channel(color="#ff0000", active=False),
        Channel(),
    )
    assert image.channel(7) == Channel()


def test_colours_and_channels_that_cannot_be_used_are_warned_of():
    values = attributes()
    values["omero"] = {"channels": [{"color": "bluish"}]}
    with pytest.warns(OmeZarrWarning, match="the channel colour 'bluish'"):
        assert parse(values).channels == (Channel(),)
    values["omero"] = {"channels": ["DAPI"]}
    with pytest.warns(OmeZarrWarning, match="the channel 'DAPI'"):
        assert parse(values).channels == (Channel(),)


def test_newer_versions_are_warned_of():
    with pytest.warns(OmeZarrWarning, match=r"here: is OME-Zarr 0\.7; .* 0\.6, and it is read"):
        parse(attributes(version="0.7"))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "here: a zarr group without multiscales"),
        ({"multiscales": {}}, "here: a zarr group without multiscales"),
        ({"multiscales": [{}]}, "here: its multiscales name no datasets"),
        ({"multiscales": ["0"]}, "here: its multiscales name no datasets"),
        ({"multiscales": [{"datasets": [{}]}]}, "here: a dataset .* has no path"),
    ],
)
def test_without_an_image_there_is_an_error(values, problem):
    with pytest.raises(SourceError, match=problem):
        parse_images(values, 2, "here")


junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "axes": junk,
            "version": junk,
            "name": junk,
            "coordinateTransformations": junk,
            "datasets": st.lists(
                st.fixed_dictionaries(
                    {"path": junk}, optional={"coordinateTransformations": junk}
                ),
                max_size=2,
            )
            | junk,
        },
    ),
    st.fixed_dictionaries({}, optional={"channels": junk, "rdefs": junk, "name": junk}) | junk,
)
def test_any_json_is_read_or_refused(multiscale, omero):
    image = None
    with warnings.catch_warnings(), suppress(SourceError):
        warnings.simplefilter("ignore", OmeZarrWarning)
        image = parse({"multiscales": [multiscale], "omero": omero})
    if image is not None:
        assert len(image.axes) == 3
        assert image.datasets
        assert image.name is None or isinstance(image.name, str)


def test_names_and_short_forms_of_colours_are_read_and_warned_of():
    values = attributes()
    for text in ("blue", "#00f", "00F", "#00FF"):
        values["omero"] = {"channels": [{"color": text, "active": 0}]}
        with pytest.warns(OmeZarrWarning, match="read as #"):
            (channel,) = parse(values).channels
        assert channel.color == "#0000ff"
        assert not channel.active


def test_a_window_without_extent_is_warned_of():
    values = attributes()
    values["omero"] = {"channels": [{"window": {"start": 9, "end": 9, "min": 0, "max": 9}}]}
    with pytest.warns(OmeZarrWarning, match="window ends where it starts"):
        assert parse(values).channels[0].window is None


def test_ome_that_says_nothing_but_a_version_does_not_count():
    values = {**attributes(), "ome": {"version": "0.5"}}
    assert parse(values).version == parse(attributes()).version
