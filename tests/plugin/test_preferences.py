import json

import numpy as np
import pytest
from napari.settings import get_plugin_settings

from napari_octree import OctreeImage
from napari_octree.config import ConfigError, OctreeConfig
from napari_octree.plugin.preferences import preferred_config


@pytest.fixture
def preferences(octree_plugin, plugin_settings):
    return get_plugin_settings("napari-octree")


def test_untouched_preferences_are_the_defaults(preferences):
    assert preferred_config() == OctreeConfig()


def test_preferences_are_followed(preferences):
    preferences.octree.tile_size = 128
    preferences.memory.ram_mib = 5000
    preferences.memory.disk_mib = 7
    preferences.render.level_bias = -1
    preferences.loader_defaults.num_workers = 3
    config = preferred_config()
    assert config.octree.tile_size == 128
    assert config.memory.ram_bytes == 5000 * 2**20
    assert config.memory.disk_bytes == 7 * 2**20
    assert config.render.level_bias == -1
    assert config.loader_defaults.num_workers == 3


@pytest.mark.parametrize("value", ["", "1", " 1 "])
def test_an_environment_that_only_switches_on_leaves_them_as_they_are(
    preferences, monkeypatch, value
):
    preferences.octree.tile_size = 128
    monkeypatch.setenv("NAPARI_OCTREE", value)
    assert preferred_config().octree.tile_size == 128


def test_a_wrong_preference_is_named(monkeypatch):
    values = {"octree": {"tile_size": 3}}
    monkeypatch.setattr("napari_octree.plugin.preferences._preferences", lambda: values)
    with pytest.raises(ConfigError, match=r"napari's preferences: octree\.tile_size: .*is 3"):
        preferred_config()


def test_without_the_plugin_the_defaults_serve(npe2pm, plugin_settings):
    assert preferred_config() == OctreeConfig()


def test_a_file_named_by_the_environment_replaces_them(preferences, tmp_path, monkeypatch):
    preferences.octree.tile_size = 128
    path = tmp_path / "octree.json"
    path.write_text(json.dumps({"octree": {"brick_size": 32}}))
    monkeypatch.setenv("NAPARI_OCTREE", str(path))
    assert preferred_config() == OctreeConfig(octree={"brick_size": 32})
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"octree\.json: not JSON"):
        preferred_config()


def test_a_change_applies_at_once_to_layers_opened_from_the_window(preferences):
    followed = OctreeImage(np.zeros((8, 8), np.uint8), preferred_config())
    copy = followed.crop([(0, 4), (0, 4)])
    own = OctreeImage(np.zeros((8, 8), np.uint8), OctreeConfig())
    preferences.render.level_bias = 2
    assert followed.config.render.level_bias == copy.config.render.level_bias == 2
    assert followed.config is preferred_config()
    assert own.config.render.level_bias == 0
    preferences.memory.ram_mib = 300
    assert followed.loader.config.memory.ram_bytes == 300 * 2**20


def test_a_file_named_by_the_environment_is_not_overruled(preferences, tmp_path, monkeypatch):
    path = tmp_path / "octree.json"
    path.write_text("{}")
    monkeypatch.setenv("NAPARI_OCTREE", str(path))
    layer = OctreeImage(np.zeros((8, 8), np.uint8), preferred_config())
    preferences.render.level_bias = 2
    assert layer.config == OctreeConfig()


def test_every_key_has_a_preference_or_is_said_to_be_elsewhere(octree_plugin):
    """Those that the first page says are in a file are all that are not in the preferences."""
    settings = get_plugin_settings("napari-octree")
    elsewhere = {
        "loader_defaults": {"log_path", "force_synchronous", "use_processes"},
        "octree": {"log_path", "loaders"},
        "memory": {"disk_path", "edits_path"},
        "render": {"prefetch"},
    }
    for section, missing in elsewhere.items():
        keys = set(getattr(OctreeConfig(), section).model_dump())
        offered = {k.replace("_mib", "_bytes") for k in getattr(settings, section).model_dump()}
        assert keys - offered == missing
        assert offered <= keys
