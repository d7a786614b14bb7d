"""The nodes above the buckets, and one table of all nodes: what is left when buckets are built.

Invariants: rows of the table are the nodes above the buckets, coarsest first, then those of each
bucket in turn; parents come before their children.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.points.point_tree import hashes_of, sample_rows
from napari_octree.sources.points.points_source import INDEX, POSITION, SAMPLE
from napari_octree.writing.points.node_store import NodeStore
from napari_octree.writing.points.tasks import Built, Node


def write_top_nodes(store: NodeStore, tables: Sequence[Built]) -> NodeTable:
    """Write the nodes above the buckets. Returns the table of all nodes."""
    gathered: dict[Node, list[np.ndarray]] = {}
    for built in tables:
        for node, part in built.tops:
            gathered.setdefault(node, []).append(part)
    nodes = sorted(gathered)
    rows = {node: row for row, node in enumerate(nodes)}
    halves = np.where(store.grid.split, 2, 1)
    ndim = store.grid.ndim
    top = {
        "depths": np.array([depth for depth, _ in nodes], np.int64),
        "cells": np.array([cell for _, cell in nodes], np.int64).reshape(-1, ndim),
        "counts": np.zeros(len(nodes), np.int64),
        "lows": np.zeros((len(nodes), ndim)),
        "highs": np.zeros((len(nodes), ndim)),
        "parents": np.zeros(len(nodes), np.int64),
    }
    for row, (depth, cell) in enumerate(nodes):
        records = np.concatenate(gathered[depth, cell])
        records = records[np.argsort(hashes_of(records[INDEX]))]
        store.write(depth, cell, records)
        above = (depth - 1, tuple(int(v) for v in np.array(cell) // halves))
        top["counts"][row] = len(records)
        top["lows"][row] = records[POSITION].min(axis=0)
        top["highs"][row] = records[POSITION].max(axis=0)
        top["parents"][row] = rows.get(above, -1)
    parts, first = [top], len(nodes)
    for built in tables:
        own = built.own
        above_bucket = -1 if built.parent is None else rows.get(built.parent, -1)
        parents = np.where(own["parents"] < 0, above_bucket, own["parents"] + first)
        parts.append({**own, "parents": parents})
        first += len(own["depths"])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in top}
    table, _ = NodeTable.in_order(**columns)
    return table


def sample_of(store: NodeStore, tables: Sequence[Built]) -> np.ndarray:
    """Return the points with the least hashes of all: a fair sample of the set."""
    samples = [built.sample for built in tables]
    sample = np.concatenate(samples) if samples else np.zeros(0, store.dtype)
    return sample[sample_rows(hashes_of(sample[INDEX]), SAMPLE)]
