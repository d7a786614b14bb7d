"""Writes precomputed annotations of several levels, by their description, for tests.

Shards are written by tensorstore; a single level is written by the `neuroglancer` package in the
tests themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

RECORD = np.dtype(
    [("xyz", "<f4", 3), ("score", "<f4"), ("kind", "<u2"), ("rgb", "|u1", 3), ("pad", "|u1", 3)]
)
"""16 bytes of float32, 2 of uint16, 3 of colours, and 3 to end at four bytes."""

PROPERTIES = [
    {"id": "rgb", "type": "rgb"},
    {"id": "kind", "type": "uint16", "enum_values": [7, 3], "enum_labels": ["seven", "three"]},
    {"id": "score", "type": "float32"},
]


def make_records(count: int, seed: int = 0) -> np.ndarray:
    """Return points of a box of 100 × 60 × 20, most of them in a corner."""
    rng = np.random.default_rng(seed)
    records = np.zeros(count, RECORD)
    records["xyz"] = rng.random((count, 3)) ** [3, 1, 1] * [100, 60, 20]
    records["score"] = rng.random(count)
    records["kind"] = rng.choice([3, 7], count)
    records["rgb"] = rng.integers(0, 256, (count, 3))
    return records


def encoded(records: np.ndarray, numbers: np.ndarray) -> bytes:
    """Return a cell."""
    count = np.uint64(len(records)).tobytes()
    return count + records.tobytes() + numbers.astype("<u8").tobytes()


def morton(cell: tuple[int, ...], grid: tuple[int, ...]) -> int:
    """Return the compressed Morton code of a cell."""
    code = place = 0
    for bit in range(32):
        for c, n in zip(cell, grid, strict=True):
            if 2**bit < n:
                code |= (c >> bit & 1) << place
                place += 1
    return code


def write_annotations(
    folder: Path, records: np.ndarray, limit: int, sharding: dict[str, Any] | None = None
) -> list[int]:
    """Write annotations, cells with up to `limit` points; return the points of each level."""
    numbers = np.arange(len(records)) * 3 + 5
    levels: list[dict[str, Any]] = []
    low, size = np.zeros(3), np.array([100.0, 60.0, 20.0])
    left = np.arange(len(records))
    rng = np.random.default_rng(1)
    found = []
    for depth in range(8):
        grid = tuple(int(n) for n in 2 ** np.maximum(np.array([depth, depth, depth - 1]), 0))
        chunk = size / grid
        cells = np.minimum(((records["xyz"][left] - low) / chunk).astype(int), np.array(grid) - 1)
        most = max(np.unique(cells, axis=0, return_counts=True)[1], default=0)
        taken = rng.random(len(left)) < min(1.0, limit / max(most, 1))
        key = f"spatial{depth}"
        level: dict[str, Any] = {
            "key": key,
            "grid_shape": list(grid),
            "chunk_size": chunk.tolist(),
            "limit": limit,
        }
        objects = {}
        for cell in np.unique(cells[taken], axis=0):
            rows = left[taken & (cells == cell).all(axis=1)]
            objects[tuple(cell.tolist())] = encoded(records[rows], numbers[rows])
        (folder / key).mkdir(parents=True)
        if sharding is None:
            for place, data in objects.items():
                (folder / key / "_".join(map(str, place))).write_bytes(data)
        else:
            import tensorstore as ts

            level["sharding"] = {"@type": "neuroglancer_uint64_sharded_v1", **sharding}
            spec = {
                "driver": "neuroglancer_uint64_sharded",
                "base": f"file://{folder / key}/",
                "metadata": level["sharding"],
            }
            with ts.Transaction() as transaction:
                store = ts.KvStore.open(spec).result().with_transaction(transaction)
                for place, data in objects.items():
                    store[morton(place, grid).to_bytes(8, "big")] = data
        levels.append(level)
        found.append(int(taken.sum()))
        left = left[~taken]
        if not len(left):
            break
    document = {
        "@type": "neuroglancer_annotations_v1",
        "dimensions": {"x": [4e-9, "m"], "y": [4e-9, "m"], "z": [4e-8, "m"]},
        "lower_bound": low.tolist(),
        "upper_bound": (low + size).tolist(),
        "annotation_type": "point",
        "properties": PROPERTIES,
        "relationships": [],
        "by_id": {"key": "by_id"},
        "spatial": levels,
    }
    (folder / "info").write_text(json.dumps(document))
    return found
