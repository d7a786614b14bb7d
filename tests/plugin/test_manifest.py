"""The manifest is right, and what it names exists and really appears in napari."""

from importlib import import_module
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest

import napari_octree
from napari_octree.config import OctreeConfig

MANIFEST = Path(napari_octree.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(MANIFEST)


def test_the_manifest_is_valid(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-octree"


def test_it_is_found_at_the_top_of_the_repository_too():
    top = Path(__file__).parents[2] / "napari.yaml"
    assert top.resolve() == MANIFEST.resolve()


def test_every_command_has_its_function(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name))


def test_every_command_is_used(manifest):
    contributions = manifest.contributions
    used = {item.command for items in contributions.menus.values() for item in items}
    used |= {item.command for item in contributions.readers}
    used |= {item.command for item in contributions.widgets or ()}
    used |= {item.command for item in contributions.writers or ()}
    assert used == {command.id for command in contributions.commands}


def test_menus_are_those_that_napari_lets_plugins_fill(manifest):
    from napari._app_model.constants import MenuId

    assert set(manifest.contributions.menus) <= {str(m) for m in MenuId.contributables()}


def test_preferences_are_keys_of_the_configuration(manifest):
    config = OctreeConfig()
    for section, contribution in manifest.contributions.configurations.items():
        for key, schema in contribution.properties.items():
            value = getattr(getattr(config, section), key.replace("_mib", "_bytes"))
            if key.endswith("_mib"):
                value = 0 if key == "ram_mib" else value / 2**20
            assert schema.default == value, f"{section}.{key}"


def test_every_key_of_the_configuration_is_there_or_it_is_said_where_the_others_are(manifest):
    shown = {
        f"{section}.{key.replace('_mib', '_bytes')}"
        for section, contribution in manifest.contributions.configurations.items()
        for key in contribution.properties
    }
    hidden = {
        f"{section}.{key}"
        for section in ("loader_defaults", "octree", "memory", "render")
        for key in type(getattr(OctreeConfig(), section)).model_fields
    } - shown
    assert hidden <= {
        "loader_defaults.log_path",
        "loader_defaults.force_synchronous",
        "loader_defaults.use_processes",
        "octree.log_path",
        "octree.loaders",
        "memory.disk_path",
        "memory.edits_bytes",
        "memory.edits_path",
        "render.prefetch",
        "render.collect_when_idle",
    }, hidden
    (first, *_) = manifest.contributions.configurations.values()
    assert "NAPARI_OCTREE" in first.properties["enabled"].description


def test_numbers_have_bounds_that_hold_the_default(manifest):
    """Without a maximum napari's form stops at 99.99, and saves that."""
    for contribution in manifest.contributions.configurations.values():
        for key, schema in contribution.properties.items():
            if schema.type in ("integer", "number"):
                assert schema.minimum <= schema.default <= schema.maximum, key


def test_the_installed_package_points_at_it():
    manager = PluginManager()
    manager.discover()
    assert manager.get_manifest("napari-octree").display_name == "Octree"
