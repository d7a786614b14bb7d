"""The first hour as a test: README and tour do, word by word, what they say."""

import re
import shlex
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.layers import Image

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.plugin.command_line import main

TOP = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    return BLOCK.findall((TOP / page).read_text(encoding="utf-8"))


@pytest.fixture
def desk(make_napari_viewer, monkeypatch, tmp_path):
    """A folder with an image, and one window for whatever opens one."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(500, 400)
    monkeypatch.chdir(tmp_path)
    group = zarr.create_group("image.ome.zarr")
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512)).astype("u1")
    group.create_array("0", data=pixels, chunks=(128, 128))
    group.create_array("1", data=pixels[::2, ::2], chunks=(128, 128))
    opened = []

    def viewer_of(**keywords):
        viewer.layers.clear()
        viewer.dims.ndisplay = keywords.pop("ndisplay", 2)
        return viewer

    def run():
        layers = [layer for layer in viewer.layers if isinstance(layer, OctreeLayer)]
        assert layers
        assert all(layer.wait_until_settled(30) for layer in layers)
        opened.append([layer.name for layer in layers])

    monkeypatch.setattr("napari.Viewer", viewer_of)
    monkeypatch.setattr("napari.run", run)
    monkeypatch.setattr(type(viewer.window), "resize", lambda self, width, height: None)
    closing = type(viewer).close
    monkeypatch.setattr(type(viewer), "close", lambda self: None)
    yield opened
    monkeypatch.setattr(type(viewer), "close", closing)


def do(command):
    """Do what a line of a terminal says."""
    words = shlex.split(command, comments=True)
    if words[:2] == ["pip", "install"]:
        extras = re.fullmatch(r"napari-octree(?:\[(.*)\])?", words[2])[1]
        provided = metadata("napari-octree").get_all("Provides-Extra")
        assert set(extras.split(",")) <= set(provided)
    elif words[0] == "make":
        assert re.search(rf"^{words[1]}:", (TOP / "Makefile").read_text(), re.MULTILINE)
    else:
        assert words[0] == "napari-octree"
        assert main(words[1:]) == 0


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md"])
def test_it_does_what_it_says(page, desk, tmp_path):
    found = blocks(page)
    assert {kind for kind, _ in found} == {"python", "console"}
    names = {}
    for kind, text in found:
        if kind == "python":
            exec(compile(text, page, "exec"), names)
        else:
            for line in text.splitlines():
                do(line)
    if page == "README.md":
        assert desk == [["image"], ["image"]]  # the script, and the command
        assert (tmp_path / "mandelbrot.png").stat().st_size > 1000
        (last,) = (x for x in names["viewer"].layers if tuple(x.level_shapes[0]) == (4096, 4096))
        assert last.wait_until_settled(30)
        assert isinstance(last, Image)
    else:
        assert desk == [["Mandelbrot set"], ["rings"], ["rings"]]
        assert (tmp_path / "rings.png").is_file()
        assert (tmp_path / "figure.png").is_file()


def test_extras_of_the_pages_are_those_of_the_project():
    extras = set(tomllib.loads((TOP / "pyproject.toml").read_text())["project"][
        "optional-dependencies"])  # fmt: skip
    for path in [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for names in re.findall(r"napari-octree\[([a-z0-9,]+)\]", text):
            assert set(names.split(",")) <= extras, path.name


def test_links_between_pages_lead_somewhere():
    for path in [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if "://" not in target and "images/made/" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"
