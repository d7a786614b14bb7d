"""Plates of all layouts, against their fields read by zarr-python and pasted by hand."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from napari_octree.sources import SourceError
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.errors import PartialReadError
from napari_octree.sources.ome_zarr.metadata.flaws import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.protocol import LevelSource
from napari_octree.sources.stores.zarr_metadata.documents import NOBODY_HAS
from plate_writer import PlateWriter, noise


def write_plate(
    path: Path, version: str = "0.4", wells: tuple[str, ...] = ("A/1", "A/2", "B/1", "B/2"),
    fields: tuple[str, ...] = ("0", "1", "2"), shape: tuple[int, ...] = (32, 48), **more: Any,
) -> PlateWriter:  # fmt: skip
    writer = PlateWriter(path, version)
    writer.plate(list(wells), **more)
    for well in wells:
        writer.well(well, list(fields))
        for field in fields:
            writer.field(well, field, noise(shape))
    return writer


def box_of(image: Any, name: str) -> tuple[slice, ...]:
    places = image.levels[0].places
    box = places.boxes[list(places.names).index(name)]
    return tuple(slice(int(a), int(b)) for a, b in box)


def check(image: Any, writer: PlateWriter, per_well: int) -> np.ndarray:
    """Every field is where its name says, at every level, and all else is fill."""
    for number, level in enumerate(image.levels):
        whole = np.asarray(level)
        rest = np.ones(whole.shape, bool)
        for (well, field), data in writer.pixels.items():
            fields = [f for w, f in writer.pixels if w == well]
            name = well if per_well == 1 else f"{well} field {fields.index(field) + 1}"
            step = 2**number
            box = tuple(
                slice(part.start // f, -(-part.stop // f))
                for part, f in zip(box_of(image, name), level.factors, strict=True)
            )
            np.testing.assert_array_equal(whole[box], data[..., ::step, ::step], err_msg=name)
            rest[box] = False
        assert not whole[rest].any()
    return np.asarray(image.levels[0])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_all_wells_and_fields_are_shown_at_all_levels(tmp_path, version):
    writer = write_plate(tmp_path / "p.zarr", version, name="Screen 1")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    assert image.name == "Screen 1"
    check(image, writer, 3)


def test_fields_lie_in_rows_in_their_order_and_wells_beside_each_other(tmp_path):
    write_plate(tmp_path / "p.zarr")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    first = [box_of(image, f"A/1 field {n}") for n in (1, 2, 3)]
    assert [(y.start, x.start) for y, x in first] == [(0, 0), (0, 48), (32, 0)]
    (below,) = (box_of(image, "B/1 field 1"),)
    (right,) = (box_of(image, "A/2 field 1"),)
    assert below[0].start > 64
    assert below[1].start == 0
    assert right[1].start > 96
    assert all(start % 2 == 0 for start in (below[0].start, right[1].start))


def test_channels_times_and_planes_stay(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", fields=("0",), shape=(2, 3, 2, 32, 48))
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    assert image.levels[0].shape[:3] == (2, 3, 2)
    assert [axis.name for axis in image.metadata.axes] == list("tczyx")
    check(image, writer, 1)


def test_positions_of_fields_are_followed(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1", "B/2"])
    places = {"a": (10.0, 5.0), "b": (10.0, 29.0), "c": (26.0, 13.0)}
    for well in ("A/1", "B/2"):
        writer.well(well, list(places))
        for field, place in places.items():
            writer.field(well, field, noise(), translation=place)
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 3)
    first = [box_of(image, f"A/1 field {n}") for n in (1, 2, 3)]
    assert [(y.start, x.start) for y, x in first] == [(0, 0), (0, 48), (32, 16)]


def test_positions_that_are_all_the_same_are_none(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1"])
    writer.well("A/1", ["0", "1"])
    for field in ("0", "1"):
        writer.field("A/1", field, noise(), translation=(0.0, 1.0))
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 2)


def test_what_is_listed_and_not_there_is_empty(tmp_path):
    writer = write_plate(tmp_path / "p.zarr")
    shutil.rmtree(tmp_path / "p.zarr/B/2")
    shutil.rmtree(tmp_path / "p.zarr/A/1/1")
    for lost in [key for key in writer.pixels if key[0] == "B/2" or key == ("A/1", "1")]:
        del writer.pixels[lost]
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    whole = np.asarray(image.levels[0])
    assert not whole[box_of(image, "A/1 field 2")].any()
    np.testing.assert_array_equal(whole[box_of(image, "A/1 field 3")], writer.pixels["A/1", "2"])
    assert not whole[box_of(image, "B/2 field 1")].any()


def test_the_first_wells_may_be_absent_or_empty(tmp_path):
    writer = write_plate(tmp_path / "p.zarr")
    shutil.rmtree(tmp_path / "p.zarr/A/1")
    writer.well("A/2", [])
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    whole = np.asarray(image.levels[0])
    assert not whole[box_of(image, "A/2 field 1")].any()
    np.testing.assert_array_equal(whole[box_of(image, "B/1 field 3")], writer.pixels["B/1", "2"])


def test_a_sparse_plate_goes_by_its_lists(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    names = {"rows": [{"name": "C"}], "columns": [{"name": "05"}, {"name": "11"}]}
    wells = [
        {"path": f"C/{c}", "rowIndex": 0, "columnIndex": n} for n, c in enumerate(["05", "11"])
    ]
    writer.group("", {"plate": {**names, "wells": wells}})
    for well in ("C/05", "C/11"):
        writer.well(well, ["0_mip"])
        writer.field(well, "0_mip", noise())
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 1)
    assert image.levels[0].shape[1] < 120


def test_a_path_counts_more_than_indices(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    names = {"rows": [{"name": "A"}, {"name": "B"}], "columns": [{"name": "1"}]}
    wells = [{"path": "A/1", "rowIndex": 1, "columnIndex": 0}, {"path": "B/1"}]
    writer.group("", {"plate": {**names, "wells": wells}})
    for well in ("A/1", "B/1"):
        writer.well(well, ["0"])
        writer.field(well, "0", noise())
    with pytest.warns(OmeZarrWarning, match="not those of their paths"):
        (image,) = read_ome_zarr(tmp_path / "p.zarr")
    assert box_of(image, "A/1")[0].start == 0
    check(image, writer, 1)


def test_one_acquisition_is_shown_and_the_others_named(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1"], acquisitions=[{"id": 7, "name": "day"}, {"id": 9, "name": "night"}])
    writer.well("A/1", ["0", "1", "2"], [7, 7, 9])
    for field in ("0", "1", "2"):
        writer.field("A/1", field, noise())
    with pytest.warns(OmeZarrWarning, match=r"shows acquisition 7 \(day\).*9 \(night\)"):
        (image,) = read_ome_zarr(tmp_path / "p.zarr")
    assert len(image.levels[0].places) == 2
    (night,) = read_ome_zarr(tmp_path / "p.zarr", acquisition=9)
    whole = np.asarray(night.levels[0])
    np.testing.assert_array_equal(whole[box_of(night, "A/1")], writer.pixels["A/1", "2"])
    assert night.levels[0].key != image.levels[0].key
    with pytest.raises(SourceError, match=r"no acquisition 8, only 7 \(day\), 9 \(night\)"):
        read_ome_zarr(tmp_path / "p.zarr", acquisition=8)


def test_a_well_opens_its_fields_as_a_mosaic(tmp_path):
    writer = write_plate(tmp_path / "p.zarr")
    (image,) = read_ome_zarr(tmp_path / "p.zarr/B/2")
    assert image.name == "B/2"
    assert image.levels[0].shape == (64, 96)
    np.testing.assert_array_equal(np.asarray(image.levels[0])[:32, 48:], writer.pixels["B/2", "1"])


def test_a_plate_comes_before_the_layout_of_bioformats2raw(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", "0.5", fields=("0",))
    writer.group("", {})
    document = json.loads((tmp_path / "p.zarr/zarr.json").read_text())
    plate = document["attributes"]["ome"].get("plate")
    writer.plate(["A/1", "A/2", "B/1", "B/2"])
    document = json.loads((tmp_path / "p.zarr/zarr.json").read_text())
    document["attributes"]["ome"]["bioformats2raw.layout"] = 3
    (tmp_path / "p.zarr/zarr.json").write_text(json.dumps(document))
    assert plate is None or plate["wells"]
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 1)


def test_wells_unlike_the_first_are_placed_resampled_and_cast_with_one_warning_a_kind(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", fields=("0",))
    writer.field("A/2", "0", noise((16, 24)), scale=1.0)  # twice the pixel size
    writer.field("B/1", "0", noise(dtype="f4") * 1e6)
    writer.field("B/2", "0", noise((40, 60)), levels=1)
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    fine, coarse = (np.asarray(level) for level in image.levels)
    large = writer.pixels["A/2", "0"].repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(fine[box_of(image, "A/2")], large)
    assert (fine[box_of(image, "B/1")] == 65535).all()
    cut = writer.pixels["B/2", "0"][:32, :48].astype(float)
    np.testing.assert_array_equal(fine[box_of(image, "B/2")], cut)
    half = tuple(slice(p.start // 2, p.stop // 2) for p in box_of(image, "B/2"))
    np.testing.assert_array_equal(
        coarse[half], np.rint(cut.reshape(16, 2, 24, 2).mean(axis=(1, 3)))
    )
    with pytest.warns(UserWarning, match=r"p\.zarr: ") as told:
        image.levels[0].deviations.tell()
    kinds = {"pixels of another size", "another type of pixels", "more pixels", "fewer levels"}
    assert image.levels[0].deviations.counts.keys() == kinds
    assert len(told) == len(kinds)


def test_a_well_that_is_broken_raises_where_it_is_and_leaves_the_others(tmp_path):
    write_plate(tmp_path / "p.zarr", fields=("0",))
    (tmp_path / "p.zarr/B/1/.zattrs").write_text("{")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    source = LevelSource(image.levels[0], (None, None))
    for name in ("A/1", "A/2", "B/2"):
        box = tuple((part.start, part.stop) for part in box_of(image, name))
        assert read_region(source, box) is not None
    broken = tuple((part.start, part.stop) for part in box_of(image, "B/1"))
    with pytest.raises(SourceError, match=r"B/1/\.zattrs: broken JSON"):
        read_region(source, broken)


def test_the_overview_of_a_large_plate_lacks_only_the_well_that_is_broken(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    columns = [f"{n}" for n in range(1, 41)]
    wells = [{"path": f"A/{c}", "rowIndex": 0, "columnIndex": int(c) - 1} for c in columns]
    names = {"rows": [{"name": "A"}], "columns": [{"name": c} for c in columns]}
    writer.group("", {"plate": {**names, "wells": wells}})
    for column in columns:
        writer.well(f"A/{column}", ["0"])
        writer.field(f"A/{column}", "0", np.full((32, 32), int(column), "u1"), levels=1)
    (tmp_path / "p.zarr/A/3/.zattrs").write_text("[]")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    assert len(image.levels) == 2
    coarse = image.levels[-1]
    box = coarse.grid((1, 1)).region((0, 0))
    with pytest.raises(PartialReadError, match=r"A/3/\.zattrs") as caught:
        coarse.read(box)
    shown = caught.value.pixels
    assert shown is not None
    pitch = coarse.pitch[-1]
    assert [int(shown[2, pitch * n + 2]) for n in range(4)] == [1, 2, 0, 4]


def test_nothing_below_the_first_wells_is_opened_before_it_is_read(tmp_path):
    write_plate(tmp_path / "p.zarr", fields=("0",))
    for well in ("A/2", "B/1", "B/2"):
        (tmp_path / f"p.zarr/{well}/0/.zattrs").write_text("not read yet")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    box = tuple((part.start, part.stop) for part in box_of(image, "A/1"))
    assert read_region(LevelSource(image.levels[0], (None, None)), box) is not None


def test_a_plate_without_any_field_is_refused_by_name(tmp_path):
    write_plate(tmp_path / "p.zarr", fields=("0",))
    for well in ("A/1", "A/2", "B/1", "B/2"):
        shutil.rmtree(tmp_path / f"p.zarr/{well}/0")
    with pytest.raises(SourceError, match=r"p\.zarr: an OME-Zarr plate of which no field"):
        read_ome_zarr(tmp_path / "p.zarr")


def test_paths_that_lead_out_of_the_plate_are_not_followed(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", fields=("0",))
    writer.well("A/2", ["../../../secret", "0"])
    with pytest.warns(OmeZarrWarning, match="cannot use the field"):
        (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 1)


def test_a_plate_in_a_zip_file(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", "0.5")
    shutil.make_archive(str(tmp_path / "p.zarr"), "zip", tmp_path / "p.zarr")
    (image,) = read_ome_zarr(tmp_path / "p.zarr.zip")
    check(image, writer, 3)


def test_a_plate_goes_to_another_process(tmp_path):
    writer = write_plate(tmp_path / "p.zarr")
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    level = pickle.loads(pickle.dumps(image.levels[0]))
    box = box_of(image, "B/1 field 2")
    np.testing.assert_array_equal(np.asarray(level)[box], writer.pixels["B/1", "1"])


@pytest.mark.parametrize("separator", ["/", "."])
@pytest.mark.parametrize("codec", [None, "gzip", "zstd", "blosc", "sharded"])
def test_chunks_of_all_usual_codecs(tmp_path, codec, separator):
    writer = write_plate(tmp_path / "p.zarr", "0.5", fields=("0",), wells=("A/1",))
    data = noise()
    codecs = {
        "gzip": zarr.codecs.GzipCodec(),
        "zstd": zarr.codecs.ZstdCodec(checksum=True),
        "blosc": zarr.codecs.BloscCodec(),
    }
    zarr.create_array(
        tmp_path / "p.zarr/A/1/0/0", data=data, chunks=(8, 16), overwrite=True,
        shards=(16, 16) if codec == "sharded" else None,
        compressors=codecs.get(codec), zarr_format=3,
        chunk_key_encoding={"name": "default", "separator": separator},
    )  # fmt: skip
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    np.testing.assert_array_equal(np.asarray(image.levels[0])[box_of(image, "A/1")], data)
    assert writer.format == 3


def test_a_plate_over_http_asks_for_each_document_and_chunk_once(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", "0.5", fields=("0", "1"))
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        (image,) = read_ome_zarr(f"{server.url}/p.zarr")
        opening = len(server.requests)
        check(image, writer, 2)
        documents = [name for name in server.requests if "/c/" not in name]
        assert len(documents) == len(set(documents))
        chunks = {name for name in server.requests if "/c/" in name}
        np.asarray(image.levels[1])
        assert {name for name in server.requests if "/c/" in name} == chunks
    finally:
        server.stop()
    assert opening <= 5 + 4 + 2 + 5 + 2  # root, wells, fields, labels, levels


def test_a_server_that_refuses_what_is_absent_shows_the_rest_of_a_plate(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", "0.5", fields=("0", "1"))
    shutil.rmtree(tmp_path / "p.zarr/B/1")
    (tmp_path / "p.zarr/A/2/zarr.json").write_text("kept from us")
    for lost in [key for key in writer.pixels if key[0] in ("B/1", "A/2")]:
        del writer.pixels[lost]
    server = FaultyServer(tmp_path, latency_s=0)
    for name in ("B/1/zarr.json", NOBODY_HAS, ".zgroup", ".zattrs", ".zarray", ".zmetadata"):
        server.faults[f"p.zarr/{name}"] = ["forever 403"]
    try:
        (image,) = read_ome_zarr(f"{server.url}/p.zarr")
        source = LevelSource(image.levels[0], (None, None))
        boxes = {
            name: tuple((part.start, part.stop) for part in box_of(image, f"{name} field 1"))
            for name in ("A/1", "A/2", "B/1", "B/2")
        }
        for well in ("A/1", "B/2"):
            shown = read_region(source, boxes[well])
            np.testing.assert_array_equal(shown, writer.pixels[well, "0"])
        assert read_region(source, boxes["B/1"]) is None
        with pytest.raises(SourceError, match="broken JSON"):
            read_region(source, boxes["A/2"])
    finally:
        server.stop()


def test_consolidated_metadata_answer_for_all_wells(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", "0.5", fields=("0", "1"))
    for row in "AB":
        writer.group(row, {})
    zarr.consolidate_metadata(tmp_path / "p.zarr", zarr_format=3)
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        (image,) = read_ome_zarr(f"{server.url}/p.zarr")
        check(image, writer, 2)
        asked = [name for name in server.requests if "/c/" not in name]
        absent = [name for name in asked if "labels" in name]
        assert len(asked) - len(absent) <= 5  # what is looked for at the root
    finally:
        server.stop()


def test_what_is_shown_at_once_of_a_large_plate_waits_for_few_fields(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    rows, columns = "ABCDEFGH", [f"{n}" for n in range(1, 13)]
    wells = [
        {"path": f"{r}/{c}", "rowIndex": y, "columnIndex": x}
        for y, r in enumerate(rows)
        for x, c in enumerate(columns)
    ]
    names = {"rows": [{"name": r} for r in rows], "columns": [{"name": c} for c in columns]}
    writer.group("", {"plate": {**names, "wells": wells}})
    writer.well("A/1", ["0", "1", "2", "3"])
    for field in "0123":
        writer.field("A/1", field, np.ones((256, 256), "u1"), levels=2)
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    for array in image.levels[2:]:
        places = image.levels[0].places.at_level(array.factors)
        grid = array.grid((1, 1))
        whole = tuple((0, n) for n in array.shape)
        boxes = [grid.region(index) for index in grid.indices(whole)]
        assert max(len(places.find(box)) for box in boxes) <= 16, array.factors
        first = tuple(stop for _, stop in boxes[0])
        assert array.best_shown_at_once == first


def test_labels_of_some_wells_only(tmp_path):
    writer = write_plate(tmp_path / "p.zarr", fields=("0",))
    writer.group("A/2/0/labels", {"labels": ["cells"]})
    writer.field("A/2/0/labels", "cells", noise(dtype="u4"))
    _, labels = read_ome_zarr(tmp_path / "p.zarr")
    whole = np.asarray(labels.levels[0])
    box = box_of(labels, "A/2")
    np.testing.assert_array_equal(whole[box], writer.pixels["A/2/0/labels", "cells"])
    assert np.count_nonzero(whole) == np.count_nonzero(whole[box])


@pytest.mark.parametrize("fields", [None, [], ["0"]])
def test_any_number_of_first_wells_may_be_without_a_field(tmp_path, fields):
    writer = PlateWriter(tmp_path / "p.zarr")
    wells = [f"A/{n}" for n in range(40)]
    writer.group("", {"plate": {"wells": [{"path": well} for well in wells]}})
    for well in wells[:-1] if fields is not None else ():
        writer.well(well, fields)
    writer.well(wells[-1], ["0"])
    writer.field(wells[-1], "0", noise())
    (image,) = read_ome_zarr(tmp_path / "p.zarr")
    check(image, writer, 1)


def test_acquisitions_that_only_wells_name_are_not_mixed(tmp_path):
    writer = PlateWriter(tmp_path / "p.zarr")
    writer.plate(["A/1"])
    writer.well("A/1", ["0", "1"], [0, 2])
    for field in ("0", "1"):
        writer.field("A/1", field, noise())
    with pytest.warns(OmeZarrWarning, match="shows acquisition 0; there are also 2"):
        (image,) = read_ome_zarr(tmp_path / "p.zarr")
    np.testing.assert_array_equal(image.levels[0][box_of(image, "A/1")], writer.pixels["A/1", "0"])
    (image,) = read_ome_zarr(tmp_path / "p.zarr", acquisition=2)
    np.testing.assert_array_equal(image.levels[0][box_of(image, "A/1")], writer.pixels["A/1", "1"])
