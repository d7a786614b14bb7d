"""A plate on disk to measure with: many wells, whose fields are links to a few that are written.

Invariants: written once per folder; every document is a file of its own, as in a real plate.
"""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import zarr

SIZES = {96: (8, 12), 384: (16, 24), 1536: (32, 48)}
VARIANTS = 4


def write_plate(
    folder: Path, wells: int = 384, fields: int = 4, channels: int = 4, side: int = 2160,
    levels: int = 5, zarr_format: int = 3,
) -> Path:  # fmt: skip
    """Write a plate of so many wells, unless it is there."""
    path = folder / f"plate-{wells}-{fields}-{channels}-{side}-v{zarr_format}.zarr"
    if (path / "complete").exists():
        return path
    rows, columns = SIZES[wells]
    for number in range(VARIANTS):
        write_field(path / "variants" / f"{number}", number, channels, side, levels, zarr_format)
    names = [*string.ascii_uppercase, *(f"A{letter}" for letter in string.ascii_uppercase)][:rows]
    listed = []
    for row, name in enumerate(names):
        for column in range(columns):
            well = path / name / f"{column + 1:02}"
            write_group(
                well, {"well": {"images": [{"path": f"{n}"} for n in range(fields)]}}, zarr_format
            )
            for field in range(fields):
                variant = (row * columns + column + field) % VARIANTS
                (well / f"{field}").symlink_to(Path("../../variants", f"{variant}"))
            place = {"path": f"{name}/{column + 1:02}", "rowIndex": row, "columnIndex": column}
            listed.append(place)
    plate = {
        "name": f"{wells} wells",
        "rows": [{"name": name} for name in names],
        "columns": [{"name": f"{column + 1:02}"} for column in range(columns)],
        "wells": listed,
        "field_count": fields,
    }
    write_group(path, {"plate": plate}, zarr_format)
    (path / "complete").touch()
    return path


def write_group(path: Path, attributes: dict, zarr_format: int) -> None:
    """Write the documents of a group."""
    path.mkdir(parents=True, exist_ok=True)
    if zarr_format == 3:
        ome = {"ome": {"version": "0.5", **attributes}}
        document = {"zarr_format": 3, "node_type": "group", "attributes": ome}
        (path / "zarr.json").write_text(json.dumps(document))
    else:
        for value in attributes.values():
            if isinstance(value, dict):
                value["version"] = "0.4"
        (path / ".zgroup").write_text('{"zarr_format": 2}')
        (path / ".zattrs").write_text(json.dumps(attributes))


def write_field(
    path: Path, seed: int, channels: int, side: int, levels: int, zarr_format: int
) -> None:
    """Write an image of blobs."""
    rng = np.random.default_rng(seed)
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    datasets = []
    small = rng.integers(200, 4000, (channels, side // 20, side // 20), dtype=np.uint16)
    finest = small.repeat(20, 1).repeat(20, 2)
    for level in range(levels):
        step = 2**level
        data = np.ascontiguousarray(finest[:, ::step, ::step])
        chunk = min(side // 4, data.shape[1])
        array = zarr.create_array(
            path / f"{level}", shape=data.shape, dtype="u2", chunks=(1, chunk, chunk),
            zarr_format=zarr_format,
            chunk_key_encoding={"name": "default" if zarr_format == 3 else "v2", "separator": "/"},
        )  # fmt: skip
        array[...] = data
        scale = {"type": "scale", "scale": [1.0, 0.65 * step, 0.65 * step]}
        datasets.append({"path": f"{level}", "coordinateTransformations": [scale]})
    colors = ["0000FF", "00FF00", "FF0000", "FF00FF", "FFFF00", "00FFFF"]
    omero = {
        "channels": [
            {"label": f"ch{n}", "color": colors[n % 6], "active": True,
             "window": {"start": 0, "end": 4000, "min": 0, "max": 65535}}
            for n in range(channels)
        ]
    }  # fmt: skip
    multiscale = {"axes": axes, "datasets": datasets}
    attributes: dict = {"multiscales": [multiscale], "omero": omero}
    if zarr_format == 2:
        multiscale["version"] = "0.4"
    write_group(path, attributes, zarr_format)
