"""Pyramids built out of core equal a numpy reference at every level, also after a kill."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from yaozarrs import validate_zarr_store

from full_disk import FullDisk
from napari_octree import open_ome_zarr
from napari_octree.plugin.command_line import main
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.errors import CancelledError, WritingError
from napari_octree.writing.image_to_write import ChannelToWrite, image_to_write, with_labels
from napari_octree.writing.shard_task import nearest_offsets
from napari_octree.writing.verify import verify_pyramid

SMALL = {"chunk": 32, "shard": 64, "factors": [(2, 2)] * 3}
PIXELS = np.random.default_rng(0).integers(0, 60000, (301, 453)).astype(np.uint16)


def levels_of(path):
    group = zarr.open_group(str(path), mode="r")
    return [np.asarray(group[str(number)][...]) for number in range(len(list(group.array_keys())))]


def boxes(array: np.ndarray, reduce) -> np.ndarray:
    """One pixel for each 2 × 2 box, the slow and obvious way."""
    rows, columns = (-(-n // 2) for n in array.shape)
    out = np.empty((rows, columns), array.dtype)
    for y in range(rows):
        for x in range(columns):
            out[y, x] = reduce(array[2 * y : 2 * y + 2, 2 * x : 2 * x + 2])
    return out


def rounded_mean(box: np.ndarray):
    return np.rint(box.astype(float).mean()) if box.dtype.kind in "iu" else box.mean(dtype=float)


def commonest(box: np.ndarray):
    values, first, counts = np.unique(box.ravel(), return_index=True, return_counts=True)
    return values[min(range(len(values)), key=lambda i: (-counts[i], first[i]))]


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", ">u2"])
def test_levels_are_rounded_means(tmp_path, version, dtype):
    data = (PIXELS[:101, :131] // 3).astype(dtype)
    path = tmp_path / "pyramid.zarr"
    build_pyramid(image_to_write(data), str(path), BuildOptions(version=version, **SMALL))
    truth = data.astype(np.dtype(dtype).newbyteorder("="))
    for level in levels_of(path):
        np.testing.assert_array_equal(level, truth)
        truth = boxes(truth, rounded_mean)


def test_labels_are_never_mixed(tmp_path):
    data = np.random.default_rng(1).integers(0, 4, (101, 131)).astype(np.uint32) * 1_000_003
    options = BuildOptions(method="mode", label=True, **SMALL)
    build_pyramid(image_to_write(data), str(tmp_path / "mode.zarr"), options)
    truth = data
    for level in levels_of(tmp_path / "mode.zarr"):
        np.testing.assert_array_equal(level, truth)
        truth = boxes(truth, commonest)
    options = BuildOptions(method="nearest", label=True, **SMALL)
    build_pyramid(image_to_write(data), str(tmp_path / "nearest.zarr"), options)
    first, *coarser = levels_of(tmp_path / "nearest.zarr")
    for total, place, level in zip((2, 4, 8), (0, 2, 2), coarser, strict=True):
        index = [np.minimum(np.arange(0, n, total) + place, n - 1) for n in first.shape]
        rows, columns = level.shape[0] - 1, level.shape[1] - 1  # the last box may lack its pixel
        np.testing.assert_array_equal(
            level[:rows, :columns], first[np.ix_(*index)][:rows, :columns]
        )


def test_nearest_stays_near_the_middle_of_what_a_pixel_covers():
    for factors in ([2] * 10, [3, 2, 2, 2], [4] * 5):
        place, total = 0, 1
        for f, offset in zip(factors, nearest_offsets(factors), strict=True):
            place += offset * total
            total *= f
            assert abs(place - (total - 1) / 2) <= max(total / 4, 0.5)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_is_said_of_it_is_valid_and_exact(tmp_path, version):
    data = np.zeros((2, 3, 101, 131), np.uint16)
    path = tmp_path / "said.zarr"
    image = image_to_write(
        data,
        "czyx",
        name="cells",
        scale=[1, 2.0, 0.5, 0.5],
        translation=[0, 7, 8, 9],
        units=[None, "micrometer", "micrometer", "micrometer"],
        channels=[ChannelToWrite("DAPI", "0000FF", (10, 99))],
    )
    factors = [(1, 1, 2, 2), (1, 2, 2, 2)]
    build_pyramid(image, str(path), BuildOptions(version, chunk=32, shard=64, factors=factors))
    validate_zarr_store(str(path))
    blue, second = open_ome_zarr(path)
    assert blue.name == "cells: DAPI"
    assert blue.contrast_limits == [10, 99]
    assert second.name == "cells: channel 1"
    assert blue.scale.tolist() == [2, 0.5, 0.5]
    assert blue.translate.tolist() == [7, 8, 9]
    said = zarr.open_group(str(path)).attrs.asdict()
    steps = said.get("ome", said)["multiscales"][0]["datasets"][2]["coordinateTransformations"]
    assert steps[0]["scale"] == [1, 4, 2, 2]
    assert steps[1]["translation"] == [0, 7 + 1, 8 + 0.75, 9 + 0.75]


def test_axes_are_put_in_order(tmp_path):
    stack = np.random.default_rng(2).integers(0, 99, (2, 3, 4, 40, 50)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    assert main(["build", str(tmp_path / "stack.tif"), str(tmp_path / "out.zarr")]) == 0
    np.testing.assert_array_equal(
        levels_of(tmp_path / "out.zarr")[0], stack.transpose(0, 2, 1, 3, 4)
    )
    colours = stack[0, 0, :3].transpose(1, 2, 0).copy()
    tifffile.imwrite(tmp_path / "colours.tif", colours, photometric="rgb")
    assert main(["build", str(tmp_path / "colours.tif"), str(tmp_path / "rgb.zarr")]) == 0
    np.testing.assert_array_equal(levels_of(tmp_path / "rgb.zarr")[0], colours.transpose(2, 0, 1))
    assert len(open_ome_zarr(tmp_path / "rgb.zarr")) == 3


def test_a_build_that_was_stopped_goes_on(tmp_path):
    image, path = image_to_write(PIXELS), str(tmp_path / "pyramid.zarr")
    asked = iter(range(1000))
    with pytest.raises(CancelledError):
        build_pyramid(image, path, BuildOptions(**SMALL), cancelled=lambda: next(asked) > 9)
    with pytest.warns(match="not finished"):
        open_ome_zarr(path)  # never taken for a whole pyramid
    written = {p: p.stat().st_mtime_ns for p in Path(path).rglob("c/*/*")}
    assert written
    done = []
    build_pyramid(image, path, BuildOptions(**SMALL), progress=lambda n, of: done.append((n, of)))
    assert done[-1][0] == done[-1][1]
    assert {p: p.stat().st_mtime_ns for p in written} == written
    whole = tmp_path / "whole.zarr"
    build_pyramid(image, str(whole), BuildOptions(**SMALL))
    for part, reference in zip(levels_of(path), levels_of(whole), strict=True):
        np.testing.assert_array_equal(part, reference)
    (layer,) = open_ome_zarr(path)
    assert len(layer.data) == 4


KILLED = """
import os, signal, sys
import numpy as np
from zarr.storage import LocalStore
from napari_octree.writing.build import BuildOptions, build_pyramid
from napari_octree.writing.image_to_write import image_to_write, with_labels
data = np.load(sys.argv[1])
image = with_labels(image_to_write(data), [image_to_write(data, name="cells")])
write, count = LocalStore.set, 0
async def counted(self, *arguments):
    global count
    count += 1
    if count == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    await write(self, *arguments)
LocalStore.set = counted
for moment in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11):
    child = os.fork()  # before zarr has a thread
    if not child:
        build_pyramid(image, sys.argv[2], BuildOptions(chunk=32, shard=64, factors=[(2, 2)] * 3))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(status, flush=True)
"""


def test_a_build_that_was_killed_ten_times_is_the_same_in_the_end(tmp_path):
    pixels = PIXELS[:205, :260]
    np.save(tmp_path / "data.npy", pixels)
    killed, whole = tmp_path / "killed.zarr", tmp_path / "whole.zarr"
    command = [sys.executable, "-c", KILLED, tmp_path / "data.npy", killed]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert ended.stdout.split() == [str(int(signal.SIGKILL))] * 10
    image = image_to_write(pixels)
    image = with_labels(image, [image_to_write(pixels, name="cells")])
    for path in (killed, whole):
        build_pyramid(image, str(path), BuildOptions(**SMALL))
    verify_pyramid(image, str(killed), samples=1000)
    files = {p.relative_to(whole) for p in whole.rglob("*")}
    assert files == {p.relative_to(killed) for p in killed.rglob("*")}
    for name in files:
        assert (whole / name).is_dir() or (whole / name).read_bytes() == (
            killed / name
        ).read_bytes()


def test_a_disk_that_gets_full_again_and_again_delays_a_build(tmp_path, monkeypatch):
    pixels = PIXELS[:150, :100]
    image = with_labels(image_to_write(pixels), [image_to_write(pixels, name="cells")])
    options = BuildOptions(chunk=32, shard=64, factors=[(2, 2)] * 2)
    build_pyramid(image, str(tmp_path / "whole.zarr"), options)
    disk, path = FullDisk(tmp_path, monkeypatch), tmp_path / "a.zarr"
    whole = files_of(tmp_path / "whole.zarr")
    attempts = disk.attempts(lambda: build_pyramid(image, str(path), options))
    for error in attempts:
        told = re.escape(f": cannot be written: {os.strerror(errno.ENOSPC)}")
        assert re.fullmatch(f"{re.escape(str(path))}(/labels.*)?{told}", str(error))
        there = files_of(path)
        assert b"multiscales" not in there.get(Path("zarr.json"), b"")
        assert all(whole[name] == there[name] for name in there if name.suffix != ".json")
    assert files_of(path) == whole


def files_of(folder):
    """Whole ones: after a failure zarr's threads may still be writing others, unasked."""
    files = [p for p in folder.rglob("*") if p.suffix != ".partial" and p.is_file()]
    return {p.relative_to(folder): p.read_bytes() for p in files}


def test_something_else_is_left_alone(tmp_path):
    image, path = image_to_write(PIXELS), tmp_path / "pyramid.zarr"
    build_pyramid(image, str(path), BuildOptions(**SMALL))
    other = image_to_write(PIXELS[:100])
    with pytest.raises(WritingError, match=r"something else already"):
        build_pyramid(other, str(path), BuildOptions(**SMALL))
    assert levels_of(path)[0].shape == PIXELS.shape
    build_pyramid(other, str(path), BuildOptions(overwrite=True, **SMALL))
    assert levels_of(path)[0].shape == (100, 453)
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    for overwrite in (False, True):
        with pytest.raises(WritingError, match="documents"):
            build_pyramid(image, str(folder), BuildOptions(overwrite=overwrite, **SMALL))
    assert (folder / "letter.txt").read_text() == "dear"


def test_a_damaged_or_missing_shard_is_found(tmp_path):
    image, path = image_to_write(PIXELS), tmp_path / "pyramid.zarr"
    build_pyramid(image, str(path), BuildOptions(**SMALL))
    verify_pyramid(image, str(path), samples=1000)
    shard = path / "1" / "c" / "0" / "1"
    data = shard.read_bytes()
    zarr.open_array(str(path / "1"))[3, 70] ^= 1
    with pytest.raises(WritingError, match="level 1 is wrong"):
        verify_pyramid(image, str(path), samples=1000)
    shard.unlink()
    with pytest.raises(WritingError, match="level 1 lacks the shard"):
        verify_pyramid(image, str(path))
    shard.write_bytes(data)
    verify_pyramid(image, str(path), samples=1000)


def test_the_command_names_what_is_wrong(tmp_path, capsys):
    assert main(["build", str(tmp_path / "absent.zarr"), str(tmp_path / "out.zarr")]) == 1
    assert "absent.zarr" in capsys.readouterr().err
    assert not (tmp_path / "out.zarr").exists()
    np.save(tmp_path / "data.npy", PIXELS)
    (tmp_path / "file").touch()
    zarr.save(str(tmp_path / "source.zarr"), PIXELS)
    assert main(["build", str(tmp_path / "source.zarr"), str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
    with tifffile.TiffWriter(tmp_path / "two.ome.tif") as tiff:
        tiff.write(PIXELS, metadata={"axes": "YX", "Name": "one"})
        tiff.write(PIXELS[:99], metadata={"axes": "YX", "Name": "other"})
    assert main(["build", str(tmp_path / "two.ome.tif"), str(tmp_path / "out.zarr")]) == 1
    assert "--image N" in capsys.readouterr().err
    command = ["build", str(tmp_path / "two.ome.tif"), str(tmp_path / "out.zarr"), "--image", "1"]
    assert main(command) == 0
    assert levels_of(tmp_path / "out.zarr")[0].shape == (99, 453)
    assert json.loads((tmp_path / "out.zarr" / "zarr.json").read_text())["attributes"]["ome"]
