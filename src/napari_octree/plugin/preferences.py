"""The configuration of layers that are opened from napari's window.

Invariants: preferences have the keys of `OctreeConfig`, sizes in MiB; the file that
`NAPARI_OCTREE` names replaces them, and `NAPARI_OCTREE=0` switches the reader off whatever they
say. While they are the same, all layers have one and the same configuration of them; a change is
given to all of those at once, and to no layer that was given a configuration of its own.
"""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakValueDictionary

from napari.settings import get_plugin_settings
from napari.utils.notifications import show_warning

from napari_octree.config import ENVIRONMENT_VARIABLE, MEBIBYTE, ConfigError, OctreeConfig
from napari_octree.layers.base.octree_layer import alive_layers
from napari_octree.layers.data.tiling import TILE_SIZE

PLUGIN = "napari-octree"
ORIGIN = "napari's preferences"
SECTIONS = ("loader_defaults", "octree", "memory", "render")


def preferred_config() -> OctreeConfig:
    """Read the environment, else napari's preferences.

    Raises
    ------
    ConfigError
        The file or a preference is wrong.
    """
    if os.environ.get(ENVIRONMENT_VARIABLE, "").strip() not in ("", "1"):
        return OctreeConfig.from_environment()
    return _PREFERRED.config_of(_preferences())


class _Preferred:
    """The configuration that the preferences say, made once for each state of them."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] | None = None
        self._config: OctreeConfig | None = None
        self._handed_out: WeakValueDictionary[int, OctreeConfig] = WeakValueDictionary()

    def config_of(self, values: dict[str, dict[str, Any]]) -> OctreeConfig:
        """Return the configuration; the same one again for the same values."""
        if self._config is None or values != self._values:
            self._config = OctreeConfig.from_values(values, origin=ORIGIN)
            self._values = values
            self._handed_out[id(self._config)] = self._config
        return self._config

    def on_changed(self, event: Any = None) -> None:
        """Give the open layers that follow the preferences what these say now."""
        try:
            config = preferred_config()
            for layer in alive_layers():
                if id(layer.config) in self._handed_out:
                    layer.config = config
        except (ConfigError, RuntimeError) as error:
            show_warning(f"The change of preferences was not applied to open layers: {error}")


_PREFERRED = _Preferred()


def _preferences() -> dict[str, dict[str, Any]]:
    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:  # not installed as a plugin, or disabled
        return {}
    settings.events.changed.connect(_PREFERRED.on_changed)  # once, however often it is called
    values = {
        section: getattr(settings, section).model_dump()
        for section in SECTIONS
        if hasattr(settings, section)
    }
    if values.get("octree", {}).get("tile_size") == TILE_SIZE:  # nobody has asked for another
        del values["octree"]["tile_size"]
    if "memory" in values:
        values["memory"] = _in_bytes(values["memory"])
    return values


def _in_bytes(memory: dict[str, Any]) -> dict[str, int]:
    """The section as the configuration has it: bytes instead of MiB."""
    sizes = {key.replace("_mib", "_bytes"): int(size) * MEBIBYTE for key, size in memory.items()}
    if not sizes.get("ram_bytes"):  # 0 in the preferences: a share of this machine's
        sizes.pop("ram_bytes", None)
    return sizes
