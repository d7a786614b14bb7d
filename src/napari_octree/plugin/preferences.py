"""The configuration of layers that are opened from napari's window.

Invariants: preferences have the keys of `OctreeConfig`; the file that `NAPARI_OCTREE` names
replaces them, and `NAPARI_OCTREE=0` switches the reader off whatever they say.
"""

from __future__ import annotations

import os
from typing import Any

from napari.settings import get_plugin_settings

from napari_octree.config import ENVIRONMENT_VARIABLE, OctreeConfig

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
    memory = values.get("memory", {})
    for key, value in list(memory.items()):  # larger than the form's whole numbers can be
        memory[key] = int(value)
    if not memory.get("ram_bytes"):  # 0 in the preferences: a share of this machine's
        memory.pop("ram_bytes", None)
    return values
