"""What an array's document means, where zarr-python takes the letter of it.

Invariants: pure functions of decoded JSON; a document without flaws is returned as it is, the same
object. What is mended is what other writers and older versions leave out or spell otherwise, where
there is only one way to understand it; all else is for zarr-python to refuse.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

V2_DEFAULTS: dict[str, Any] = {"order": "C", "filters": None, "compressor": None}
V3_OBJECTS = ("chunk_key_encoding", "chunk_grid")
"""May be given by their names alone, as the specification of zarr 3.1 has it."""


def as_meant(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a ``.zarray`` or a ``zarr.json`` of an array as zarr-python understands it."""
    changes = _of_v3(document) if document.get("zarr_format") == 3 else _of_v2(document)
    for name in ("shape", "chunks"):
        sizes = document.get(name)
        if isinstance(sizes, list) and any(type(n) is float for n in sizes):
            changes[name] = [int(n) if _is_whole(n) else n for n in sizes]
    return {**document, **changes} if changes else document


def _of_v2(document: Mapping[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in V2_DEFAULTS.items() if name not in document}
    fill = document.get("fill_value")
    if "fill_value" not in document or _cannot_be(fill, document.get("dtype")):
        changes["fill_value"] = None
    return changes


def _of_v3(document: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in V3_OBJECTS:
        if isinstance(document.get(name), str):
            changes[name] = {"name": document[name], "configuration": {}}
    codecs = document.get("codecs")
    if isinstance(codecs, list) and any(isinstance(codec, str) for codec in codecs):
        changes["codecs"] = [
            {"name": codec, "configuration": {}} if isinstance(codec, str) else codec
            for codec in codecs
        ]
    kind, fill = document.get("data_type"), document.get("fill_value")
    if isinstance(kind, str) and (fill is None or _cannot_be(fill, kind)):
        changes["fill_value"] = _nothing(kind)
    return changes


def _cannot_be(fill: Any, kind: Any) -> bool:
    """Whether a fill value is none of a type of whole numbers, or not one of complex ones."""
    try:
        dtype = np.dtype(kind)
    except (TypeError, ValueError):  # none of numpy's: zarr-python finds words for it
        return False
    if dtype.fields is not None:
        return isinstance(fill, int | float)
    if dtype.kind == "c":
        return isinstance(fill, int | float)
    if dtype.kind not in "iu" or fill is None:
        return False
    if isinstance(fill, str):
        try:
            fill = int(fill) if fill.strip("+-").isdigit() else float(fill)
        except ValueError:  # no number of any kind: zarr-python refuses it in words
            return False
    if not isinstance(fill, int | float) or not _is_whole(fill):
        return True
    limits = np.iinfo(dtype)
    return not limits.min <= fill <= limits.max


def _nothing(kind: str) -> Any:
    if kind == "bool":
        return False
    return [0.0, 0.0] if kind.startswith("complex") else 0


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) or (
        isinstance(number, float) and math.isfinite(number) and number == int(number)
    )
