"""What is remembered from one session to the next, beside napari's settings.

Invariants: one small JSON file beside napari's own settings file, so that whoever has other
settings has another memory; a file that cannot be read or written is no error, things are then
forgotten.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from napari.settings import get_settings

FILE_NAME = "napari-octree.json"
_WITHOUT_FILE: dict[str, Any] = {}


def recall(key: str, default: Any) -> Any:
    """Return what was remembered under `key`; `default` if nothing, or another kind of value."""
    value = _read().get(key, default)
    return value if isinstance(value, type(default)) else default


def remember(key: str, value: Any) -> None:
    """Keep a value that JSON can hold."""
    values = _read() | {key: value}
    _WITHOUT_FILE.update(values)
    path = _path()
    if path is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _path() -> Path | None:
    settings_file = get_settings().config_path
    return None if settings_file is None else Path(settings_file).with_name(FILE_NAME)


def _read() -> dict[str, Any]:
    path = _path()
    if path is None:
        return dict(_WITHOUT_FILE)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
