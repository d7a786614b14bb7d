"""The configuration of layers that are opened from napari's window.

Invariants: preferences have the keys of `OctreeConfig`, sizes in MiB; the file that
`NAPARI_OCTREE` names replaces them, and `NAPARI_OCTREE=0` switches the reader off whatever they
say.
"""

from __future__ import annotations

import os
from typing import Any

from napari.settings import get_plugin_settings

from napari_octree.config import ENVIRONMENT_VARIABLE, MEBIBYTE, OctreeConfig
from napari_octree.layers.data.image_pyramid import TILE_SIZE

PLUGIN = "napari-octree"
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
    return OctreeConfig.from_values(_preferences(), origin="napari's preferences")


def _preferences() -> dict[str, dict[str, Any]]:
    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:  # not installed as a plugin, or disabled
        return {}
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
