"""What of a plate was there and is gone has failed; what never was is empty."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import zarr

from faulty_server import FaultyServer
from napari_octree.sources.arrays.zarr_arrays import gone
from napari_octree.sources.errors import PartialReadError, SourceError
from napari_octree.sources.levels.level_source import renewed
from napari_octree.sources.ome_zarr.opening import read_ome_zarr
from napari_octree.sources.ome_zarr.plates import first_well
from plate_writer import PlateWriter, noise

GONE = r"gone"


@pytest.fixture(params=["folder", "server"])
def address(request, tmp_path, monkeypatch):
    monkeypatch.setattr(gone, "_SEEN", {})
    if request.param == "folder":
        yield str(tmp_path / "p.zarr")
        return
    server = FaultyServer(tmp_path, latency_s=0)
    yield f"http://127.0.0.1:{server.port}/p.zarr"
    server.stop()


_WRITTEN: dict[str, Path] = {}


def write(path: Path, version: str) -> None:
    """Of the wells that are listed, B/1 is not there; of the fields, those named 1 of A/2."""
    if version not in _WRITTEN:
        _WRITTEN[version] = Path(mkdtemp(dir=path.parent.parent)) / "p.zarr"
        _write(_WRITTEN[version], version)
    shutil.copytree(_WRITTEN[version], path)


def _write(path: Path, version: str) -> None:
    writer = PlateWriter(path, version)
    writer.plate(["A/1", "A/2", "B/1", "B/2"])
    for well in ("A/1", "A/2", "B/2"):
        writer.well(well, ["0", "1"])
        for field in ("0", "1")[: 1 if well == "A/2" else 2]:
            writer.field(well, field, noise())


def box_of(level, name: str) -> tuple[tuple[int, int], ...]:
    """Of a field's first chunk."""
    box = level.places.boxes[list(level.places.names).index(name)]
    return tuple(
        (int(a) // f, int(a) // f + 1) for (a, _), f in zip(box, level.factors, strict=True)
    )


def read(level, name: str):
    return level.read(box_of(level, f"{name} field 1"))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("lost", ["", "A/1", "A/1/0"])
def test_what_is_gone_when_it_is_reloaded_has_failed(tmp_path, address, version, lost) -> None:
    write(tmp_path / "p.zarr", version)
    (image,) = read_ome_zarr(address)
    for level in image.levels:
        np.asarray(level)
    shutil.rmtree(tmp_path / "p.zarr" / lost)
    for level in map(renewed, image.levels):
        with pytest.raises((FileNotFoundError, PartialReadError), match=GONE):
            read(level, "A/1")
        if lost:
            assert read(level, "B/2").any()
            assert read(level, "B/1") is None
    with pytest.raises((FileNotFoundError, PartialReadError), match=GONE):
        renewed(image.levels[-1]).read(tuple((0, n) for n in image.levels[-1].shape))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        ("nothing", ""),
        *(
            (seen, lost)
            for seen in ("the other level", "another place")
            for lost in ("", "A/2", "A/2/0")
        ),
    ],
)
def test_what_is_gone_before_it_is_seen_has_failed(tmp_path, address, version, lost, seen) -> None:
    write(tmp_path / "p.zarr", version)
    (image,) = read_ome_zarr(address)
    fine, coarse = image.levels[:2]
    if seen == "the other level":
        assert read(coarse, "A/2").any()
    elif seen == "another place":
        (row, column) = box_of(fine, "A/2 field 1")
        assert fine.read(((row[0] + 16, row[1] + 16), column)).any()
    shutil.rmtree(tmp_path / "p.zarr" / lost)
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match=GONE):
            read(fine, "A/2")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_comes_back_is_shown(tmp_path, address, version) -> None:
    write(tmp_path / "p.zarr", version)
    (image,) = read_ome_zarr(address)
    (tmp_path / "p.zarr").rename(tmp_path / "away")
    for level in (image.levels[0], renewed(image.levels[0])):
        for name in ("A/1", "B/1", "B/2"):
            with pytest.raises(FileNotFoundError, match=GONE):
                read(level, name)
    (tmp_path / "away").rename(tmp_path / "p.zarr")
    assert read(image.levels[0], "A/1").any()
    assert read(image.levels[0], "B/2").any()
    assert read(image.levels[0], "B/1") is None


def test_a_sparse_plate_on_a_server_asks_for_the_plate_few_times(tmp_path) -> None:
    writer = PlateWriter(tmp_path / "p.zarr", "0.5")
    columns = "123456789"
    writer.plate([f"{r}/{c}" for r in "ABCDEFGH" for c in columns], "ABCDEFGH", columns)
    writer.well("A/1", ["0"])
    writer.field("A/1", "0", noise())
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        (image,) = read_ome_zarr(f"http://127.0.0.1:{server.port}/p.zarr")
        server.requests.clear()
        image.levels[-1].read(tuple((0, n) for n in image.levels[-1].shape))
        plate = [name for name in server.requests if str(name).endswith("p.zarr/zarr.json")]
        assert len(plate) <= 2, server.requests
    finally:
        server.stop()


def test_of_a_plate_without_wells_only_some_are_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(first_well, "MOST_WELLS_FAR", 20)
    columns = "123456789"
    wells = [f"{r}/{c}" for r in "ABCDEFGH" for c in columns]
    PlateWriter(tmp_path / "p.zarr", "0.5").plate(wells, "ABCDEFGH", columns)
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        with pytest.raises(SourceError, match=r"72 wells, none of which .* of the first 20$"):
            read_ome_zarr(f"http://127.0.0.1:{server.port}/p.zarr")
        assert len({name for name in server.requests if name.count("/") == 3}) == 20
    finally:
        server.stop()


def test_consolidated_metadata_are_read_anew(tmp_path) -> None:
    path = tmp_path / "p.zarr"
    write(path, "0.4")
    for row in "AB":
        zarr.open_group(path / row, mode="a", zarr_format=2)
    zarr.consolidate_metadata(path, zarr_format=2)
    for name in (".zattrs", ".zgroup", ".zarray"):
        for document in path.glob(f"*/**/{name}"):
            document.unlink()
    server = FaultyServer(tmp_path, latency_s=0)
    try:
        (image,) = read_ome_zarr(f"http://127.0.0.1:{server.port}/p.zarr")
        level = renewed(image.levels[0])
        assert read(level, "A/1").any()
        assert read(level, "B/1") is None
        shutil.rmtree(path)
        with pytest.raises(FileNotFoundError, match=GONE):
            read(renewed(level), "A/1")
    finally:
        server.stop()
