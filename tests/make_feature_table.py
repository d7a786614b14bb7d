"""Write the table of docs/ome-zarr.md that tries features with this plugin and napari-ome-zarr.

python tests/make_feature_table.py PYTHON

PYTHON is the interpreter of an environment that has napari and napari-ome-zarr. Each reader opens
all files in a process of its own, and what it gives napari is looked at: nothing is said from
knowledge of its source.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

sys.path.insert(0, str(Path(__file__).parent))

from page_tables import put_table
from plate_writer import PlateWriter

PIXELS = np.random.default_rng(0).integers(1, 200, (32, 48)).astype("u2")

READER = """
import json, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
LOAD
for path in sys.argv[1:]:
    try:
        told = []
        for data, meta, kind in opened(path):
            levels = data if isinstance(data, (list, tuple)) or meta.get("multiscale") else [data]
            told.append({
                "levels": [list(level.shape) for level in levels],
                "sum": float(np.asarray(levels[0]).sum()),
                "translate": np.ravel(meta.get("translate", [])).tolist(),
                "units": [str(unit) for unit in meta.get("units") or []],
                "names": list(meta.get("axis_labels") or []),
                "metadata": str(meta.get("metadata")),
            })
    except Exception as error:
        told = type(error).__name__
    print("told", json.dumps(told), flush=True)
"""
OURS = """
from napari_octree import open_ome_zarr
def opened(path):
    return [layer.as_layer_data_tuple() for layer in open_ome_zarr(path)]
"""
THEIRS = """
from napari_ome_zarr import napari_get_reader
def opened(path):
    found = napari_get_reader(path)(path)
    return [(each[0], each[1] if len(each) > 1 else {}, "image") for each in found]
"""

Check = Callable[[list[dict[str, Any]]], bool]


def image(path: Path, version: str = "0.4", **more: Any) -> Path:
    """Write an image of two levels."""
    PlateWriter(path.parent, version).field("", path.name, PIXELS, **more)
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """Write an image whose multiscale entry is changed."""
    image(path)
    attributes = json.loads((path / ".zattrs").read_text())
    change(attributes["multiscales"][0])
    (path / ".zattrs").write_text(json.dumps(attributes))
    return path


def with_first_level_lost(path: Path) -> Path:
    image(path)
    (path / "1" / ".zarray").unlink()
    return path


def zipped(path: Path) -> Path:
    image(path, "0.5")
    archive = path.with_suffix(".ozx")
    with zipfile.ZipFile(archive, "w") as file:
        for each in sorted(path.rglob("*")):
            if each.is_file():
                file.write(each, each.relative_to(path))
    return archive


def plain(path: Path) -> Path:
    zarr.save_array(path, PIXELS)
    return path


def plate(path: Path, absent: bool = False) -> Path:
    writer = PlateWriter(path)
    writer.plate(["A/1", "B/2"])
    for well in ("A/1", "B/2"):
        writer.well(well, ["0", "1"])
        for field in ("0", "1"):
            writer.field(well, field, PIXELS)
    if absent:
        shutil.rmtree(path / "A/1/0")
    return path


def one_size(path: Path) -> Path:
    image(path)
    zarr.create_array(path / "1", data=PIXELS * 2, zarr_format=2, overwrite=True)
    return path


def rotated(path: Path) -> Path:
    image(path, "0.5")
    document = json.loads((path / "zarr.json").read_text())
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    systems = [{"name": name, "axes": axes} for name in ("own", "stage")]
    datasets = [
        {"path": f"{n}", "coordinateTransformations": [
            {"type": "scale", "scale": [2.0**n] * 2,
             "input": {"path": f"{n}"}, "output": {"name": "own"}}]}
        for n in (0, 1)
    ]  # fmt: skip
    turn = {
        "type": "mapAxis", "mapAxis": [1, 0],
        "input": {"name": "own"}, "output": {"name": "stage"},
    }  # fmt: skip
    entry = {
        "coordinateSystems": systems[::-1], "datasets": datasets,
        "coordinateTransformations": [turn],
    }  # fmt: skip
    document["attributes"]["ome"] = {"version": "0.6", "multiscales": [entry]}
    (path / "zarr.json").write_text(json.dumps(document))
    return path


def right_pixels(layers: list[dict[str, Any]]) -> bool:
    return layers[0]["sum"] == PIXELS.sum()


def oriented(entry: dict[str, Any]) -> None:
    entry["axes"][1]["orientation"] = {"type": "anatomical", "value": "left-to-right"}


CASES: list[tuple[str, Callable[[Path], Path], Check]] = [
    ("0.4: pixels of the finest level", image, right_pixels),
    ("0.5: pixels of the finest level", lambda p: image(p, "0.5"), right_pixels),
    ("an image without scales (0.1 to 0.3)",
     lambda p: changed(p, lambda e: [d.pop("coordinateTransformations") for d in e["datasets"]]),
     right_pixels),
    ("its translation", lambda p: image(p, translation=(5.0, 7.0)),
     lambda found: found[0]["translate"][-2:] == [5, 7]),
    ("units of axes",
     lambda p: changed(p, lambda e: [a.update(unit="nanometer") for a in e["axes"]]),
     lambda found: "nanometer" in found[0]["units"][-1]),
    ("names of axes", image, lambda found: found[0]["names"][-2:] == ["y", "x"]),
    ("anatomical orientation, kept", lambda p: changed(p, oriented),
     lambda found: "left-to-right" in found[0]["metadata"]),
    ("0.6: opens in its intrinsic system", rotated, right_pixels),
    ("a level that is not there", with_first_level_lost, right_pixels),
    ("two arrays of one size are no pyramid", one_size,
     lambda found: len(found[0]["levels"]) == 1),
    ("a plate: every pixel of every field", plate,
     lambda found: found[0]["sum"] == 4 * PIXELS.sum()),
    ("a plate whose first field is absent: the others", lambda p: plate(p, absent=True),
     lambda found: found[0]["sum"] == 3 * PIXELS.sum()),
    ("an archive (.ozx)", zipped, right_pixels),
    ("a plain array", plain, right_pixels),
]  # fmt: skip


def tried(python: str, load: str, paths: list[Path]) -> list[Any]:
    """Open files in a process of its own; return what each gave, or the error's name."""
    done = subprocess.run(
        [python, "-c", READER.replace("LOAD\n", load), *map(str, paths)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    lines = [line[5:] for line in done.stdout.splitlines() if line.startswith("told ")]
    if len(lines) != len(paths):
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in lines]


def in_a_word(found: Any, check: Check) -> str:
    """Say what came of a case."""
    if isinstance(found, str):
        return f"`{found}`"
    try:
        return "yes" if found and check(found) else "no"
    except (IndexError, KeyError):
        return "no"


def table(python: str) -> str:
    """The table, as Markdown."""
    lines = ["| tried | napari-octree | napari-ome-zarr |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(Path(folder, f"i{n}.zarr")) for n, (_, write, _) in enumerate(CASES)]
        ours = tried(sys.executable, OURS, paths)
        theirs = tried(python, THEIRS, paths)
        for (name, _, check), own, other in zip(CASES, ours, theirs, strict=True):
            lines.append(f"| {name} | {in_a_word(own, check)} | {in_a_word(other, check)} |")
    return "\n".join(lines)


def main() -> None:
    """Put the table into its page."""
    put_table("ome-zarr.md", "features", table(sys.argv[1]))


if __name__ == "__main__":
    main()
