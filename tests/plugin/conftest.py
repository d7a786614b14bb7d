"""The plugin registered in napari as installed, and no other one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest
from npe2._pytest_plugin import TestPluginManager

import napari_octree


@pytest.fixture
def octree_plugin(npe2pm: TestPluginManager) -> Iterator[PluginManager]:
    manifest = PluginManifest.from_file(Path(napari_octree.__file__).with_name("napari.yaml"))
    with npe2pm.tmp_plugin(manifest=manifest):
        yield npe2pm
