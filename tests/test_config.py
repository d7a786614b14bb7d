import json
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from pydantic import ValidationError

from napari_octree.config import ConfigError, LoaderConfig, OctreeConfig, default_ram_bytes

GIBIBYTE = 2**30


def write(tmp_path, values):
    path = tmp_path / "octree.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_the_defaults():
    """Those that the documents name."""
    loader = {"num_workers": 16, "delay_queue_ms": 100, "auto_sync_ms": 30}
    assert OctreeConfig().model_dump() == {
        "loader_defaults": {
            "log_path": None,
            "force_synchronous": False,
            "use_processes": False,
            "executor": "threads",
            **loader,
        },
        "octree": {
            "enabled": True,
            "tile_size": 256,
            "brick_size": 64,
            "log_path": None,
            "reduction": "mean",
            "background_pyramid": False,
            "loaders": {
                0: {"num_workers": None, "delay_queue_ms": 100, "auto_sync_ms": None},
                2: {"num_workers": None, "delay_queue_ms": 0, "auto_sync_ms": None},
            },
        },
        "memory": {
            "ram_bytes": default_ram_bytes(),
            "vram_bytes": 512 * 2**20,
            "disk_bytes": 0,
            "disk_path": None,
            "edits_bytes": 256 * 2**20,
            "edits_path": None,
        },
        "render": {
            "upload_ms": 5,
            "upload_ms_moving": 3,
            "fade_ms": 0,
            "export_timeout_s": 30,
            "level_bias": 0,
            "interpolation_apron": 4,
            "skip_empty": True,
            "channels_together": True,
            "collect_when_idle": True,
            "points": 1_000_000,
            "prefetch": {"slices": 2, "ring": 1},
        },
    }
    assert OctreeConfig().loader(1) == LoaderConfig(**loader)
    assert OctreeConfig().loader(2) == LoaderConfig(**{**loader, "delay_queue_ms": 0})


@pytest.mark.parametrize(
    ("machine", "ram_bytes"), [(80 * GIBIBYTE, 8 * GIBIBYTE), (GIBIBYTE, 256 * 2**20)]
)
def test_a_tenth_of_the_machines_memory_but_not_too_little(monkeypatch, machine, ram_bytes):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=machine))
    assert OctreeConfig().memory.ram_bytes == ram_bytes


BOUNDS = {
    "loader_defaults.num_workers": (1, 1024),
    "loader_defaults.delay_queue_ms": (0, None),
    "loader_defaults.auto_sync_ms": (0, None),
    "octree.loaders.0.num_workers": (1, 1024),
    "octree.loaders.0.delay_queue_ms": (0, None),
    "octree.loaders.0.auto_sync_ms": (0, None),
    "octree.tile_size": (16, 4096),
    "octree.brick_size": (8, 512),
    "memory.ram_bytes": (2**20, None),
    "memory.vram_bytes": (2**20, None),
    "memory.disk_bytes": (0, None),
    "render.fade_ms": (0, 100),
    "render.export_timeout_s": (0, 86_400),
    "render.level_bias": (-8, 8),
    "render.interpolation_apron": (1, 8),
    "render.prefetch.slices": (0, None),
    "render.prefetch.ring": (0, None),
}


def with_value(path, value):
    """Return the values of a configuration with one key."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.parametrize("path", BOUNDS)
def test_values_up_to_their_bounds_are_accepted_and_those_beyond_are_not(path):
    for bound, step in zip(BOUNDS[path], (-1, 1), strict=True):
        if bound is not None:
            OctreeConfig.from_values(with_value(path, bound), origin="here")
            with pytest.raises(ConfigError, match=rf"here: {path}: .*is {bound + step}\)"):
                OctreeConfig.from_values(with_value(path, bound + step), origin="here")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("render.upload_ms", 0),
        ("render.upload_ms_moving", 0),
        ("loader_defaults.executor", "fibres"),
        ("octree.reduction", "median"),
        ("octree.enabled", "perhaps"),
        ("octree.tile_size", 20.5),
        ("octree.loaders.fine", {}),
        ("memory.disk_path", 7),
    ],
)
def test_what_cannot_be_used_is_refused(path, value):
    with pytest.raises(ConfigError, match=rf"here: {path}"):
        OctreeConfig.from_values(with_value(path, value), origin="here")


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
        ({"loader_defaults": {"auto_asinc_ms": 1}}, ["did you mean 'auto_async_ms'"]),
        ({"memory": {"ram_bytes": -1}}, ["memory.ram_bytes: ", "(it is -1)"]),
        ({"octree": {"tile_size": "big"}}, ["octree.tile_size: ", "integer", "'big'"]),
        ({"octree": {"loaders": {}}}, ["octree.loaders: ", "at least 1"]),
        (
            {"loader_defaults": {"use_processes": True, "executor": "dask"}},
            ["loader_defaults: use"],
        ),
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


@pytest.mark.parametrize("value", ["true", 1, "perhaps"])
def test_use_processes_is_true_or_false_and_nothing_like_it(value):
    """Else it might be taken for true and yet choose no executor."""
    with pytest.raises(ValidationError, match="use_processes"):
        OctreeConfig(loader_defaults={"use_processes": value})


def test_the_environment_variable(tmp_path):
    path = write(tmp_path, {"octree": {"tile_size": 64}})

    def configured(value):
        return OctreeConfig.from_environment({"NAPARI_OCTREE": value})

    assert OctreeConfig.from_environment({}) == configured(" 1 ") == OctreeConfig()
    assert configured("1") == configured("") == OctreeConfig()
    assert not configured("0").octree.enabled
    assert configured(str(path)).octree.tile_size == 64
    with pytest.raises(
        ConfigError, match=r"NAPARI_OCTREE=.*nowhere\.json: cannot be read: No such"
    ):
        configured(str(tmp_path / "nowhere.json"))


def test_a_file_in_the_home_folder_may_be_named_by_its_short_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, {"octree": {"tile_size": 64}})
    assert OctreeConfig.from_file("~/octree.json").octree.tile_size == 64


def test_names_of_files_in_any_script_are_read(tmp_path):
    path = tmp_path / "octree.json"
    path.write_text('{"loader_defaults": {"log_path": "журнал.jsonl"}}', encoding="utf-8")
    assert OctreeConfig.from_file(path).loader_defaults.log_path == Path("журнал.jsonl")


def test_the_environment_of_the_process_is_used(monkeypatch):
    monkeypatch.setenv("NAPARI_OCTREE", "0")
    assert not OctreeConfig.from_environment().octree.enabled
