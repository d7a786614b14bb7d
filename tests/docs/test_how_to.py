"""Every code block of the pages does what it says, on small data of the names that pages use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import zarr

from napari_octree import OctreeConfig, OctreeImage, OctreeLabels
from napari_octree.layers.base.octree_layer import OctreeLayer
from ome_zarr_documents import image_06, translation
from plate_writer import PlateWriter, noise

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if page.name != "tour.md" and BLOCK.search(page.read_text(encoding="utf-8"))
)

NOT_HERE = {
    "https://example.org/data/image.ome.zarr": "servers of others; tests/plugin has its own",
    "SLURMCluster(": "a cluster of many machines",
    "tcp://head:8786": "a cluster; tests/loading has one of this machine",
    "precomputed://https://example.org": "servers of others; tests/sources/points has its own",
    "client = loader.open(wake)": "the signatures alone; tests/loading",
}
"""Blocks that need what no test has, by what is in them; and where the same is tried."""

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 250, (256, 256)).astype("u1")


def write_files(folder: Path) -> None:
    """Write the files that the pages open."""
    levels = zarr.create_group(folder / "levels.zarr")
    for number in range(3):
        step = 2**number
        levels.create_array(f"{number}", data=PIXELS[::step, ::step], chunks=(64, 64))
    for number in range(2):
        zarr.create_array(folder / f"tile_{number}.zarr", data=PIXELS, chunks=(64, 64))
    document = json.dumps(image_06(translation(0, 5, 6))).replace('"world"', '"stage"')
    image = zarr.create_group(folder / "image.ome.zarr", attributes=json.loads(document))
    for number, dataset in enumerate(image.attrs["ome"]["multiscales"][0]["datasets"]):
        side = 64 >> number
        data = np.zeros((4, side, side), "u1")
        image.create_array(dataset["path"], data=data, chunks=(1, 32, 32))
    plate = PlateWriter(folder / "screen.zarr")
    acquisitions = [{"id": 0}, {"id": 3}]
    plate.plate(["A/1", "B/2"], acquisitions=acquisitions)
    for well in ("A/1", "B/2"):
        plate.well(well, ["0", "1"], [0, 3])
        for field in ("0", "1"):
            plate.field(well, field, noise())


def names(viewer) -> dict[str, object]:
    """What the pages take for known."""
    layer = viewer.add_layer(OctreeImage(PIXELS, name="cells"))
    points = pd.DataFrame(
        {"z": RANDOM.random(400), "y": RANDOM.random(400) * 90, "x": RANDOM.random(400) * 90,
         "gene": RANDOM.choice(["a", "b"], 400), "feature_name": "c", "cell_type": "d"}
    )  # fmt: skip
    known = {
        "np": np, "zarr": zarr, "viewer": viewer, "layer": layer, "layers": [layer],
        "levels": [PIXELS, PIXELS[::2, ::2]], "array": PIXELS, "OctreeConfig": OctreeConfig,
        "store": zarr.storage.LocalStore("image.ome.zarr"), "points": points,
        "genes": points["gene"], "scores": points["x"],
        "sdata": SimpleNamespace(points={"transcripts": points}),
        "adata": SimpleNamespace(obsm={"spatial": points[["x", "y"]].to_numpy()}, obs=points),
    }  # fmt: skip
    points.to_parquet("transcripts.parquet")
    Path("data.zarr/points/transcripts").mkdir(parents=True)
    points.to_parquet("data.zarr/points/transcripts/points.parquet")
    return known


def read_here(page: Path, text: str, known: dict[str, object]) -> str:
    """A block with what is at hand in place of what only its reader has."""
    known["positions"] = [(0, 0), (0, 256)] if page.name == "plates.md" else None
    if page.name == "points.md":
        known["positions"] = np.asarray(known["points"][["z", "y", "x"]])  # type: ignore[index]
        # Each block writes the same file, and a small set has no node at (3, 5).
        number = known["blocks"] = int(known.get("blocks", 0)) + 1  # type: ignore[call-overload]
        if "build_points(" in text:
            known["built"] = number
        text = text.replace("transcripts.points.zarr", f"{known.get('built')}.zarr")
        text = text.replace("array[3:4, 5:6]", "array[:1, :1]")
        lines = text.splitlines()
        builds = [i for i, line in enumerate(lines) if line.startswith("build_points(")]
        for i in builds[1:]:
            lines[i] = lines[i].replace(f"{number}.zarr", f"{number} again.zarr")
        text = "\n".join(lines)
    if page.name == "labels.md" and "save_edits" in text:
        labels = zarr.create_array("labels.zarr", data=PIXELS % 7, chunks=(64, 64))
        known["layer"] = layer = OctreeLabels(labels)
        layer.paint((9, 9), 3)
        text = text.replace("layer.restore_edits()", "# of a former session")
    if page.name == "export.md" and "export_png(" in text:
        text = text.replace("box=[(0, 9000), (0, 12000)]", "box=[(0, 200), (0, 100)]")
        text = text.replace("scale=8", "scale=2")
    return text.replace("https://host/plate.zarr", "screen.zarr")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_code_runs(page, shared, monkeypatch, tmp_path):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    shared.layers.clear()
    shared.dims.ndisplay = 2

    def run():
        octrees = [layer for layer in shared.layers if isinstance(layer, OctreeLayer)]
        assert all(layer.wait_until_settled(30) for layer in octrees)

    monkeypatch.setattr("napari.Viewer", lambda **keywords: shared)
    monkeypatch.setattr("napari.run", run)
    write_files(tmp_path)
    known = names(shared)
    for text in blocks:
        if any(part in text for part in NOT_HERE):
            compile(text, page.name, "exec")
            text = "\n".join(re.findall(r"^from napari_octree.*$", text, re.MULTILINE))
        exec(compile(read_here(page, text, known), page.name, "exec"), known)
    run()
    shared.layers.clear()


def test_what_is_not_run_is_still_there():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(part in text for part in NOT_HERE)
