"""Packages know only those that they may know, and work without what they do not know."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from room_rules import PACKAGE, modules, violations

TOP = Path(__file__).parents[1]
SOURCE_ROOT = TOP / "src" / PACKAGE


def test_every_module_keeps_the_contracts():
    """Those of pyproject.toml: import-linter names each import that breaks one.

    In a process of its own: it disables all loggers that exist already.
    """
    lint = "from importlinter.cli import lint_imports_command as lint; lint()"
    done = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_keeps_the_rules():
    found = [
        problem
        for module, path in modules(SOURCE_ROOT)
        for problem in violations(
            module, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py"
        )
    ]
    assert not found, "\n".join(found)


def test_the_documents_name_every_logger():
    page = Path(__file__).parents[1] / "docs" / "how-to" / "configuration.md"
    loggers = {
        name
        for _, path in modules(SOURCE_ROOT)
        for name in re.findall(r'getLogger\("([^"]*)"\)', path.read_text(encoding="utf-8"))
    }
    assert len(loggers) == 5
    assert not {name for name in loggers if f"`{name}`" not in page.read_text(encoding="utf-8")}


def test_the_contracts_speak_of_every_folder():
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in contracts["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    named = {name for layer in layers for name in re.findall(rf"{PACKAGE}\.(\w+)", layer)}
    folders = {path.parent.name for path in SOURCE_ROOT.glob("*/__init__.py")}
    assert folders == named - {"config"}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("octree.plan", "import dask.array"),
        ("octree.plan", "def f():\n    import napari"),
        ("octree.plan", "if TYPE_CHECKING:\n    import zarr"),
        ("sources.arrays", "import importlib\nimportlib.import_module('napari.layers')"),
        ("layers.octree_image", "import_module('napari_octree.rendering.register')"),
        ("layers.octree_image", "from napari.qt import thread_worker"),
        ("layers.octree_image", "import napari\nnapari.qt.thread_worker"),
        ("layers._napari", "from napari._qt.qt_viewer import QtViewer"),
        ("layers.octree_image", "from napari.layers.image._slice import _ImageSliceResponse"),
        ("layers.octree_image", "from napari.layers import base\nx = base._private"),
        ("rendering.atlas", "from vispy.visuals import image\nimage.ImageVisual._build()"),
        ("rendering.atlas", "from napari._vispy.layers.image import VispyImageLayer"),
        ("rendering.atlas", "import vispy as v\nv.gloo._private"),
        ("rendering.atlas", "from napari_octree.layers._napari import register"),
        ("rendering.atlas", "from ..layers import _napari"),
        ("plugin.reader", "from napari_octree.loading.loader import _private"),
        ("rendering.atlas", "def f(layer):\n    return layer._slice_input.ndisplay"),
        ("rendering.atlas", "def f(self):\n    self.dims._play_ready = False"),
        ("layers.octree_image", "def f(layer):\n    layer.events._emit()"),
        ("plugin.reader", "class A:\n    def f(self, viewer):\n        viewer.window._qt_window"),
    ],
)
def test_a_breach_is_found(module, source):
    assert violations(f"{PACKAGE}.{module}", source), source


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("octree.plan", "from __future__ import annotations\nimport math\nimport numpy as np"),
        ("octree.plan", "from .chunk_key import ChunkKey\nfrom napari_octree.config import x"),
        ("octree.plan", "from napari_octree.octree._tables import x"),
        ("loading.loader", "from napari_octree.sources.protocol import LevelSource\nimport dask"),
        ("layers.octree_image", "from napari.layers import Image\nImage.data\nself._private"),
        ("layers._napari.slicing", "from napari.layers._scalar_field import x"),
        ("rendering._vispy.layers", "from napari._vispy.utils.visual import layer_to_visual"),
        ("rendering.layer", "from qtpy.QtCore import QTimer\nfrom vispy import __version__"),
        ("plugin.reader", "from napari_octree.qt import dock\nimport napari"),
        ("rendering.atlas", "def f(self, other):\n    self._x = 1\n    return other._x"),
        ("rendering.atlas", "def f(key):\n    return key._replace(level=1), super()._draw()"),
        ("rendering._vispy", "def f(layer):\n    return layer._slice_input"),
        ("loading.loader", "def f(store):\n    return store._sync_open"),
    ],
)
def test_what_is_allowed_passes(module, source):
    assert violations(f"{PACKAGE}.{module}", source) == []


def test_relative_imports_of_packages_are_resolved():
    assert violations(f"{PACKAGE}.octree", "from ._plan import plan", is_package=True) == []
    assert violations(f"{PACKAGE}.octree", "from ..layers import _x", is_package=True)


def run_python(code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("room", ["octree", "sources", "loading", "config"])
def test_room_works_without_napari_qt_and_gl(room):
    names = [
        name for name, _ in modules(SOURCE_ROOT) if f"{name}.".startswith(f"{PACKAGE}.{room}.")
    ]
    assert names
    run_python(f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
heavy = {{"napari", "vispy", "qtpy", "superqt", "OpenGL", "PyQt5", "PyQt6", "PySide6"}}
sys.exit(" ".join(heavy & sys.modules.keys()) or 0)
""")


def test_dask_is_imported_by_those_who_use_it_only():
    """`dask.array` brings pandas and takes as long to import as all the rest."""
    run_python(f"""
import sys
sys.modules["dask"] = None
import pint  # some versions import dask.array themselves, where there is one
del sys.modules["dask"]
import numpy as np
from {PACKAGE} import OctreeImage, open_ome_zarr
OctreeImage(np.zeros((8, 8)))
sys.exit("dask.array was imported" if "dask.array" in sys.modules else 0)
""")


def test_public_names_need_no_qt():
    run_python(f"""
import sys
class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name in ("qtpy", "superqt", "PyQt5", "PyQt6", "PySide2", "PySide6"):
            raise ModuleNotFoundError("Qt is not here", name=name)
sys.meta_path.insert(0, NoQt())
import {PACKAGE}
assert {{"OctreeImage", "OctreeConfig", "open_ome_zarr"}} <= set({PACKAGE}.__all__)
for name in {PACKAGE}.__all__:
    getattr({PACKAGE}, name)
""")
