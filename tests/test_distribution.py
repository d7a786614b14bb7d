"""What is published: a wheel with all of the package, and a source archive to build it from."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.version import Version

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "src" / "napari_octree"


def build(source: Path, target: Path, kind: str) -> Path:
    """Build one of them, with the build system that is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The files of the project without git, as in an archive of it."""
    tree = tmp_path_factory.mktemp("tree") / "project"
    unwanted = shutil.ignore_patterns(
        *(".git", ".venv*", "site", "dist", "build", ".*_cache", "__pycache__", "results")
    )
    shutil.copytree(TOP, tree, ignore=unwanted, symlinks=True)
    return tree


@pytest.fixture(scope="module")
def sdist(tree, tmp_path_factory):
    return build(tree, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Made of the source archive, as pip does where there is no wheel."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
        archive.extractall(folder, **filters)
    (source,) = folder.iterdir()
    return zipfile.ZipFile(build(source, tmp_path_factory.mktemp("wheel"), "wheel"))


def test_the_wheel_holds_every_file_of_the_package(wheel):
    files = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    held = {name for name in wheel.namelist() if name.startswith("napari_octree/")}
    assert held == files
    assert {"napari_octree/napari.yaml", "napari_octree/py.typed"} <= held
    assert any(name.endswith(".glsl") and "/modes/" in name for name in held)


def test_the_metadata_says_what_the_napari_hub_shows(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "napari-octree"
    assert str(Version(metadata["Version"])) == "0.1.0.dev0"  # that of a tree without git
    assert "Framework :: napari" in metadata.get_all("Classifier")
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    labels = {url.partition(",")[0] for url in metadata.get_all("Project-URL")}
    assert labels >= {"Homepage", "Documentation", "Source", "Bug Tracker", "User Support"}
    assert any(held.endswith("LICENSE") for held in wheel.namelist())


def test_napari_and_the_command_line_find_it(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "[napari.manifest]\nnapari-octree = napari_octree:napari.yaml" in text
    assert "[console_scripts]\nnapari-octree = " in text


def test_the_source_archive_holds_what_tests_need(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names
    assert {"tests/conftest.py", "tests/rendering/reference/fading.png"} <= names
    assert "src/napari_octree/napari.yaml" in names
