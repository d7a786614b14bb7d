import json

import pytest
from pydantic import ValidationError

from napari_octree.config import ConfigError, LoaderConfig, OctreeConfig, default_ram_bytes


def write(tmp_path, values):
    path = tmp_path / "octree.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_the_defaults():
    config = OctreeConfig()
    assert config.loader_defaults.num_workers == 16
    assert config.loader_defaults.auto_sync_ms == 30
    assert config.octree.enabled
    assert (config.octree.tile_size, config.octree.brick_size) == (256, 64)
    assert config.memory.ram_bytes == default_ram_bytes() >= 256 * 2**20
    assert config.memory.vram_bytes == 512 * 2**20
    assert config.render.interpolation_apron == 4
    assert (config.render.prefetch.slices, config.render.prefetch.ring) == (2, 1)


def test_is_immutable():
    with pytest.raises(ValidationError):
        OctreeConfig().octree.tile_size = 3


def test_round_trip_through_json(tmp_path):
    config = OctreeConfig(octree={"tile_size": 128}, loader_defaults={"log_path": "a.log"})
    path = write(tmp_path, config.model_dump_json())
    assert OctreeConfig.from_file(path) == config


def test_a_partial_file_keeps_the_other_defaults(tmp_path):
    config = OctreeConfig.from_file(write(tmp_path, {"render": {"prefetch": {"slices": 0}}}))
    assert config.render.prefetch.slices == 0
    assert config.render.prefetch.ring == 1
    assert config.octree == OctreeConfig().octree


def test_the_greatest_key_not_above_the_relative_level_serves():
    config = OctreeConfig(
        loader_defaults={"num_workers": 7, "auto_sync_ms": 12},
        octree={"loaders": {"0": {"delay_queue_ms": 50}, "2": {"num_workers": 3}}},
    )
    fine = LoaderConfig(num_workers=7, delay_queue_ms=50, auto_sync_ms=12)
    coarse = LoaderConfig(num_workers=3, delay_queue_ms=100, auto_sync_ms=12)
    assert [config.loader(level) for level in (-1, 0, 1, 2, 9)] == [fine] * 3 + [coarse] * 2


def test_the_former_name_of_auto_sync_ms_is_accepted():
    assert OctreeConfig(loader_defaults={"auto_async_ms": 5}).loader_defaults.auto_sync_ms == 5
    assert LoaderConfig(auto_async_ms=5).auto_sync_ms == 5


def test_use_processes_chooses_the_executor():
    assert OctreeConfig(loader_defaults={"use_processes": True}).loader_defaults.executor == (
        "processes"
    )
    with pytest.raises(ValidationError, match="executor is 'dask'"):
        OctreeConfig(loader_defaults={"use_processes": True, "executor": "dask"})


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"octree": {"tile_szie": 2}}, ["octree: ", "'tile_szie'", "did you mean 'tile_size'"]),
        ({"tile_size": 2}, ["'tile_size'", "did you mean 'octree.tile_size'"]),
        ({"render": {"prefetch": {"rings": 2}}}, ["render.prefetch: ", "did you mean 'ring'"]),
        ({"octree": {"loaders": {"0": {"workers": 2}}}}, ["octree.loaders.0", "'num_workers'"]),
        ({"memory": {"xyzzy": 1}}, ["the keys here are ram_bytes, vram_bytes"]),
        ({"memory": {"ram_bytes": -1}}, ["memory.ram_bytes: ", "(it is -1)"]),
        ({"octree": {"tile_size": "big"}}, ["octree.tile_size: ", "integer", "'big'"]),
        ({"octree": {"loaders": {}}}, ["octree.loaders: ", "at least 1"]),
        ([1], ["must be an object"]),
        ('{"octree": }', ["not JSON", "line 1"]),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, values, parts):
    path = write(tmp_path, values)
    with pytest.raises(ConfigError) as error:
        OctreeConfig.from_file(path)
    for part in [str(path), *parts]:
        assert part in str(error.value)


def test_every_problem_is_told_at_once(tmp_path):
    path = write(tmp_path, {"octree": {"tile_size": 0}, "render": {"upload_ms": 0}})
    with pytest.raises(ConfigError, match=r"(?s)octree\.tile_size.*\n.*render\.upload_ms"):
        OctreeConfig.from_file(path)


def test_unknown_keys_in_code():
    with pytest.raises(ValidationError, match="did you mean 'memory'"):
        OctreeConfig(memori={})


def test_the_environment_variable(tmp_path):
    path = write(tmp_path, {"octree": {"tile_size": 64}})

    def configured(value):
        return OctreeConfig.from_environment({"NAPARI_OCTREE": value})

    assert OctreeConfig.from_environment({}) == configured("1") == OctreeConfig()
    assert not configured("0").octree.enabled
    assert configured(str(path)).octree.tile_size == 64
    with pytest.raises(ConfigError, match=r"NAPARI_OCTREE=.*nowhere\.json: cannot be read"):
        configured(str(tmp_path / "nowhere.json"))


def test_the_environment_of_the_process_is_used(monkeypatch):
    monkeypatch.setenv("NAPARI_OCTREE", "0")
    assert not OctreeConfig.from_environment().octree.enabled
