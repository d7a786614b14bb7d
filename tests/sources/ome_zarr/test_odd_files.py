"""Files as other programs write them, met in reports of bugs: opened with their own pixels."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_octree.sources import SourceError
from napari_octree.sources.derived.downsampled import read_region
from napari_octree.sources.levels.level_source import as_level_source
from napari_octree.sources.ome_zarr.metadata.flaws import OmeZarrWarning
from napari_octree.sources.ome_zarr.opening import read_ome_zarr

PIXELS = np.random.default_rng(0).integers(1, 200, (64, 96)).astype("u1")


def write(path: Path, levels: int = 1, zarr_format: int = 2, pixels: np.ndarray = PIXELS) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    datasets = []
    for k in range(levels):
        data = np.ascontiguousarray(pixels[:: 2**k, :: 2**k])
        encoding = {"name": "v2" if zarr_format == 2 else "default", "separator": "/"}
        group.create_array(f"{k}", data=data, chunks=(16, 16), chunk_key_encoding=encoding)
        scale = {"type": "scale", "scale": [2.0**k, 2.0**k]}
        datasets.append({"path": f"{k}", "coordinateTransformations": [scale]})
    image = {"axes": [{"name": n, "type": "space"} for n in "yx"], "datasets": datasets}
    if zarr_format == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    else:
        group.attrs["multiscales"] = [{"version": "0.4", **image}]
    return path


def edit(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def pixels_of(path: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OmeZarrWarning)
        (image,) = read_ome_zarr(path)
    return np.asarray(image.levels[0][...])


def shown_of(path: Any) -> np.ndarray | None:
    """Pixels as a layer reads them, which has a quicker way to local files."""
    (image,) = read_ome_zarr(path)
    return read_region(as_level_source(image.levels[0]), ((0, 64), (0, 96)))


def test_nested_chunks_whose_document_does_not_say_so(tmp_path):
    path = write(tmp_path / "a.zarr")
    edit(path / "0/.zarray", lambda d: d.pop("dimension_separator"))
    np.testing.assert_array_equal(pixels_of(path), PIXELS)
    np.testing.assert_array_equal(shown_of(path), PIXELS)


@pytest.mark.parametrize("declared", ["/", "."])
def test_chunks_of_other_names_than_declared(tmp_path, declared):
    path = tmp_path / "a.zarr"
    stored = {"name": "v2", "separator": "." if declared == "/" else "/"}
    options = {"chunks": (16, 16), "zarr_format": 2, "chunk_key_encoding": stored}
    zarr.create_array(path, data=PIXELS, **options)
    edit(path / ".zarray", lambda d: d.update(dimension_separator=declared))
    np.testing.assert_array_equal(pixels_of(path), PIXELS)
    np.testing.assert_array_equal(shown_of(path), PIXELS)


def test_a_stray_chunk_does_not_rename_the_others(tmp_path):
    path = write(tmp_path / "a.zarr")
    (path / "0/9.9").write_bytes(b"")
    np.testing.assert_array_equal(shown_of(path), PIXELS)


def test_flat_chunks_whose_document_does_not_say_so(tmp_path):
    path = tmp_path / "a.zarr"
    array = zarr.create_array(path, data=PIXELS, chunks=(16, 16), zarr_format=2)
    edit(path / ".zarray", lambda d: d.pop("dimension_separator", None))
    assert array.metadata.dimension_separator == "."
    np.testing.assert_array_equal(pixels_of(path), PIXELS)


@pytest.mark.parametrize("zipped", [False, True])
def test_nested_chunks_in_any_store(tmp_path, zipped):
    path = write(tmp_path / "a.zarr")
    edit(path / "0/.zarray", lambda d: d.pop("dimension_separator"))
    if zipped:
        path = Path(shutil.make_archive(f"{path}", "zip", path))
        np.testing.assert_array_equal(pixels_of(path), PIXELS)
        return
    files = {f"{f.relative_to(path)}": f.read_bytes() for f in path.rglob("*") if f.is_file()}
    buffer = zarr.core.buffer.default_buffer_prototype().buffer.from_bytes
    store = zarr.storage.MemoryStore({name: buffer(data) for name, data in files.items()})
    np.testing.assert_array_equal(pixels_of(store), PIXELS)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("fill_value"),
        lambda d: d.update(fill_value=-1),
        lambda d: d.update(fill_value=300),
        lambda d: d.update(fill_value=1.5),
        lambda d: d.update(fill_value="NaN"),
        lambda d: d.pop("order"),
        lambda d: d.pop("filters"),
        lambda d: d.update(shape=[64.0, 96.0]),
    ],
)
def test_array_documents_of_format_2(tmp_path, change):
    path = write(tmp_path / "a.zarr")
    edit(path / "0/.zarray", change)
    shutil.rmtree(path / "0/0")
    expected = PIXELS.copy()
    expected[:16] = 0
    np.testing.assert_array_equal(pixels_of(path), expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(fill_value=None),
        lambda d: d.pop("fill_value"),
        lambda d: d.update(fill_value=256),
        lambda d: d.update(codecs=["bytes", *d["codecs"][1:]]),
        lambda d: d.update(chunk_key_encoding="default"),
    ],
)
def test_array_documents_of_format_3(tmp_path, change):
    path = write(tmp_path / "a.zarr", zarr_format=3)
    edit(path / "0/zarr.json", change)
    shutil.rmtree(path / "0/c/0")
    expected = PIXELS.copy()
    expected[:16] = 0
    np.testing.assert_array_equal(pixels_of(path), expected)


def test_types_that_cannot_be_shown_are_named_whatever_their_fill_value(tmp_path):
    path = write(tmp_path / "a.zarr")
    edit(path / "0/.zarray", lambda d: d.update(dtype="<c8", fill_value=0))
    with pytest.raises(SourceError, match=r"a\.zarr/0: complex pixels \(complex64\)"):
        read_ome_zarr(path)


def test_metadata_that_are_only_consolidated(tmp_path):
    path = write(tmp_path / "a.zarr", levels=2)
    documents = sorted(path.rglob(".z*"))
    metadata = {f"{f.relative_to(path)}": json.loads(f.read_text()) for f in documents}
    for file in documents:
        file.unlink()
    content = {"zarr_consolidated_format": 1, "metadata": metadata}
    (path / ".zmetadata").write_text(json.dumps(content))
    np.testing.assert_array_equal(pixels_of(path), PIXELS)


def test_consolidated_metadata_that_are_old_do_not_count(tmp_path):
    path = write(tmp_path / "a.zarr")
    stale = {"0/.zarray": {**json.loads((path / "0/.zarray").read_text()), "shape": [8, 8]}}
    (path / ".zmetadata").write_text(json.dumps({"metadata": stale}))
    np.testing.assert_array_equal(pixels_of(path), PIXELS)


def test_attributes_in_another_encoding(tmp_path):
    path = write(tmp_path / "a.zarr")
    edit(path / ".zattrs", lambda d: d["multiscales"][0].update(name="NAME"))
    text = (path / ".zattrs").read_bytes().replace(b"NAME", "5 µm".encode("cp1252"))
    (path / ".zattrs").write_bytes(text)
    (image,) = read_ome_zarr(path)
    assert image.name == "5 µm"


def test_levels_in_another_order_are_sorted(tmp_path):
    path = write(tmp_path / "a.zarr", levels=3)
    edit(path / ".zattrs", lambda d: d["multiscales"][0]["datasets"].reverse())
    with pytest.warns(OmeZarrWarning, match="not in the order of their sizes"):
        (image,) = read_ome_zarr(path)
    assert [level.shape for level in image.levels] == [(64, 96), (32, 48), (16, 24)]
    assert [d.scale for d in image.metadata.datasets] == [(1, 1), (2, 2), (4, 4)]


def test_single_entries_that_are_no_lists(tmp_path):
    path = write(tmp_path / "a.zarr")

    def change(document):
        document["multiscales"] = image = document["multiscales"][0]
        image["datasets"][0].update(path=0)
        image["datasets"][0]["coordinateTransformations"] = {"type": "scale", "scale": [2, 3]}

    edit(path / ".zattrs", change)
    with pytest.warns(OmeZarrWarning) as told:
        (image,) = read_ome_zarr(path)
    texts = " ".join(str(each.message) for each in told)
    assert "multiscales are no list" in texts
    assert "the path of a dataset is no text" in texts
    assert image.metadata.datasets[0].scale == (2, 3)


def test_plates_that_list_paths_only(tmp_path):
    path = tmp_path / "p.zarr"
    wells = ["A/1", "B/2"]
    plate = zarr.open_group(path, mode="w", zarr_format=2)
    plate.attrs["plate"] = {"rows": ["A", "B"], "columns": ["1", "2"], "wells": wells}
    for well in wells:
        zarr.open_group(path / well, mode="w", zarr_format=2).attrs["well"] = {"images": ["0"]}
        write(path / well / "0")
    with pytest.warns(OmeZarrWarning, match="row 0 of the plate has no name"):
        (image,) = read_ome_zarr(path)
    assert image.plate.rows == ("A", "B")
    shown = np.asarray(image.levels[0][...])
    y, x = (n // 2 for n in shown.shape)
    np.testing.assert_array_equal(shown[:64, :96], PIXELS)
    np.testing.assert_array_equal(shown[y : y + 64, x : x + 96], PIXELS)
    assert not shown[:y, x:].any()


@pytest.mark.parametrize(
    ("prefix", "separator"),
    [("", "\\"), ("a.zarr/", "\\"), ("./", "/"), ("/", "/"), ("a.zarr//", "/")],
)
def test_archives_with_other_names(tmp_path, prefix, separator):
    path = write(tmp_path / "a.zarr")
    archive = tmp_path / "a.zarr.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo("x")
                name = f"{prefix}{file.relative_to(path).as_posix()}"
                entry.filename = name.replace("/", separator)
                opened.writestr(entry, file.read_bytes())
    np.testing.assert_array_equal(pixels_of(archive), PIXELS)


@pytest.mark.parametrize("text", ['"{}"', "'{}'", "{}\n", " {} "])
def test_paths_as_they_are_pasted(tmp_path, text):
    path = write(tmp_path / "a b.zarr")
    np.testing.assert_array_equal(pixels_of(text.format(path)), PIXELS)


def test_a_name_that_has_quotes_is_taken_for_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("'a'"))
    np.testing.assert_array_equal(pixels_of("'a'"), PIXELS)
