"""Whatever the attributes of a group hold, an image is opened or a SourceError names the path.

Documents of every kind are mutated: values replaced by others and by junk, keys left out, lists
made longer, subtrees exchanged. Arrays and groups are ready: only what attributes say is tried.
"""

from __future__ import annotations

import copy
import os
import re
import warnings
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_octree.plugin.opening.image_layers import channel_arrays, geometry, levels_with_channel
from napari_octree.plugin.opening.label_layers import colors_of, features_of
from napari_octree.sources import SourceError
from napari_octree.sources.ome_zarr import nodes
from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import images_in
from napari_octree.sources.stores import zarr_nodes
from ome_zarr_documents import KINDS, image_06, label, labels

EXAMPLES = 10_000 if os.environ.get("CI") else 1000

JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 3, 1e308, -1e308, 1e-320, 10**400, -(10**400), 2**63, 0.5,
    float("nan"), float("inf"), "", "0", "1", "2", "x", "..", "../", "../..", ".", "/", "a/b",
    "a\0b", "\ud800", "\\", "é" * 1000, "0.4", "0.6", "9.9", "0.6.dev3", "labels", "image", "c",
    "channel", "space", "array", "time", "scale", "identity", "sequence", "affine", "rotation",
    "mapAxis", "byDimension", "bijection", "displacements", "physical", "world", "micrometer",
    "kg*", "1/0", [], {}, [[]], [{}], [None], [1, 2], [0, 0, 0], [1, 1, 1], [-1, 1, 1],
    [1e308] * 3, [float("nan")] * 3, [10**400] * 3, {"name": "physical"}, {"path": "0"},
    {"name": "world", "path": ".."}, [[1, 0, 0, 0]] * 3, [[0] * 4] * 3, list(range(100)),
]  # fmt: skip
DEEP: Any = "end"
for _ in range(60):
    DEEP = {"type": "sequence", "transformations": [DEEP]}
JUNK.append(DEEP)


class OneAfterTheOther:
    """In place of a pool of threads: most of the time would be spent on starting them."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> OneAfterTheOther:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    map = staticmethod(map)


@pytest.fixture(autouse=True, scope="module")
def _without_threads_and_stores():
    def documents_of(group: Any, **options: Any) -> Any:
        return group if isinstance(group, Group) else zarr_nodes.documents_of(group, **options)

    def node_at(documents: Any, path: str) -> Any:
        if not isinstance(documents, Group):
            return zarr_nodes.node_at(documents, path)
        try:
            return documents[path]
        except KeyError:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "ThreadPoolExecutor", OneAfterTheOther)
        patch.setattr(nodes, "documents_of", documents_of)
        patch.setattr(nodes, "node_at", node_at)
        yield


class Group(zarr.Group):
    """A group of arrays and groups that are ready, with the attributes of the day."""

    def __init__(self, children: dict[str, Any], attributes: dict[str, Any]) -> None:
        super().__init__(PLATE._async_group)
        object.__setattr__(self, "children", children)
        object.__setattr__(self, "attributes", attributes)

    def __getitem__(self, path: str) -> Any:
        first, _, rest = path.partition("/")
        child = self.children[first]
        return child[rest] if rest else child

    @property
    def attrs(self) -> Any:
        attributes = self.attributes

        class Attributes:
            @staticmethod
            def asdict() -> dict[str, Any]:
                return attributes

        return Attributes()


def arrays() -> dict[str, zarr.Array]:
    store = zarr.storage.MemoryStore()
    group = zarr.open_group(store, mode="w")
    for k in range(3):
        shape = (2, 64 >> k, 64 >> k)
        group.create_array(str(k), shape=shape, chunks=shape, dtype="u1")
    group.create_array("matrix", data=np.eye(4)[:3])
    return {path: group[path] for path in ("0", "1", "2", "matrix")}


def plate() -> zarr.Group:
    """A group with a well of one field, in a store of its own."""
    group = zarr.open_group(zarr.storage.MemoryStore(), mode="w", zarr_format=2)
    for path in ("0", "A/1/0"):
        field = group.create_group(path)
        field.attrs.update(KINDS["image 0.4"])
        for k in range(3):
            field.create_array(str(k), shape=(2, 64 >> k, 64 >> k), dtype="u1")
    group["A/1"].attrs.update(KINDS["well"])
    return group


ARRAYS, PLATE = arrays(), plate()


def group_with(document: dict[str, Any]) -> Group:
    """A group that holds everything that any of the documents names."""
    label_group = Group(ARRAYS, document if "image-label" in document else label())
    listed = Group({"cells": label_group}, document if "labels" in document else labels())
    image = Group({**ARRAYS, "labels": listed}, image_06())
    about = {"series": ["image", "other"]}
    return Group(
        {
            **ARRAYS,
            "labels": listed,
            "cells": label_group,
            "image": image,
            "other": image,
            "OME": Group({}, {**about, **document} if "series" in document else about),
        },
        document,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values of a document."""
    found = [path]
    if isinstance(value, dict):
        for key, each in value.items():
            found += places(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            found += places(each, (*path, number))
    return found


def mutated(document: Any, where: tuple[Any, ...], how: int, junk: Any) -> Any:
    """The document with one value changed."""
    if not where:
        return document
    document = copy.deepcopy(document)
    owner = document
    for key in where[:-1]:
        owner = owner[key]
    key = where[-1]
    if how == 0:
        del owner[key]
    elif how == 1:
        owner[key] = [owner[key]] * 3
    elif how == 2 and isinstance(owner, dict):
        owner[f"{key}s"] = owner.pop(key)
    elif how == 3 and isinstance(owner, list):
        owner.append(owner[key])
    elif how == 4 and isinstance(owner, list):
        owner.reverse()
    else:
        owner[key] = junk
    return document


mutation = st.tuples(st.integers(0, 10**6), st.integers(0, 12), st.integers(0, len(JUNK) - 1))
DOCUMENTS = list(KINDS.values())


@pytest.mark.timeout(600)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.integers(0, len(DOCUMENTS) - 1),
    st.lists(mutation, min_size=1, max_size=4),
    st.sampled_from([None, None, "world", "physical", "elsewhere"]),
)
def test_any_attributes_are_read_or_refused(number, mutations, coordinate_system):
    document = DOCUMENTS[number]
    for place, how, junk in mutations:
        ways = places(document)
        document = mutated(document, ways[place % len(ways)], how, JUNK[junk])
    if not isinstance(document, dict):
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        problem = None
        try:
            images = images_in(group_with(document), "/x/a.zarr", coordinate_system)
        except SourceError as error:
            images, problem = (), error
        for image in images:
            check(image)
    assert images or str(problem).startswith("/x/a.zarr")
    assert {w.category for w in caught} <= {OmeZarrWarning}


def check(image: Any) -> None:
    """What layers rely on."""
    metadata = image.metadata
    assert image.levels
    assert len(metadata.datasets) == len(image.levels)
    assert all(len(level.shape) == len(metadata.axes) for level in image.levels)
    assert len({axis.name for axis in metadata.axes}) == len(metadata.axes)
    for text in [image.name, *(axis.name for axis in metadata.axes)]:
        assert text
        assert len(text) < 1000
        text.encode()
    for channel in metadata.channels:
        assert channel.color is None or re.fullmatch("#[0-9a-f]{6}", channel.color)
    try:
        channel_arrays(levels_with_channel(image, 0), 0)
    except SourceError:
        return  # as making the layers does
    keywords = geometry(levels_with_channel(image, 0))
    numbers = [*keywords["scale"], *keywords["translate"]]
    assert np.isfinite(numbers).all()
    assert 0 not in keywords["scale"]
    assert len(keywords["level_transforms"]) == len(levels_with_channel(image, 0).levels)
    affine = keywords["affine"]
    if affine is not None:
        n = len(keywords["scale"])
        assert affine.shape == (n + 1, n + 1)
        assert np.isfinite(affine).all()
        assert abs(np.linalg.det(affine)) > 0
    if image.label is not None:
        colors_of(image.label)
        features_of(image.label)


@pytest.mark.parametrize("kind", KINDS)
def test_the_documents_themselves_are_of_their_kind(kind):
    document = KINDS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error" if kind not in NOT_LINEAR else "ignore")
        images = images_in(group_with(document), "/x/a.zarr")
    for image in images:
        check(image)
    if kind.startswith("image 0.4"):
        assert [image.label is not None for image in images] == [False, True]


NOT_LINEAR = ("image 0.6, bijection", "image 0.1")
