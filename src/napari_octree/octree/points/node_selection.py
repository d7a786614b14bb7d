"""Which nodes a view of points is made of, under a budget of points.

Invariants
----------
* Pure; the cost follows the number of nodes chosen, never the number of points.
* The nodes form trees: the parent of every chosen node is chosen, and all roots in view are. All
  nodes chosen are drawn, as finer nodes add points and replace none.
* No node is refined whose points already lie at most a pixel apart; if the budget does not
  suffice for all others, those with the wider gaps nearer to the focus are refined first.
* If the budget does not even suffice for the roots, all are drawn with the same share of their
  points: a coarser picture, and none that is cut off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_octree.octree.bricks.projection import Projection
from napari_octree.octree.level import FloatArray, IntArray
from napari_octree.octree.points.node_table import NodeTable
from napari_octree.octree.view import VolumeView


@dataclass(frozen=True)
class PointView:
    """What a canvas shows of a set of points. Equal if it is the same.

    Attributes
    ----------
    view : VolumeView
        Over the displayed axes as (z, y, x), in data coordinates; of two axes z is 0.
    displayed : tuple of int
        Axes that are drawn, in the order (…, row, column).
    low, high : tuple of float
        Per axis, the slab that the sliders name; infinite where an axis is displayed.
    reach : float
        How far a point is drawn around its position, in data coordinates.
    """

    view: VolumeView
    displayed: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    reach: float = 0.0


@dataclass(frozen=True, eq=False)
class NodeSelection:
    """The nodes of a view.

    Attributes
    ----------
    rows : (n,) int64
        Their rows in the table, in the order in which they should be loaded: parents before
        their children.
    shares : float
        The part of each node's points that is drawn: 1, or less where the roots alone exceed the
        budget.
    complete : bool
        Nothing in view is coarser than a pixel.
    missing : (n,) int64
        For each node, how many points below it are not chosen, as far as they may be in view.
    in_view : float
        Points that are in view by the boxes of their nodes, chosen or not.
    """

    rows: IntArray
    share: float
    complete: bool
    missing: IntArray
    in_view: float

    @classmethod
    def nothing(cls) -> NodeSelection:
        """Return the selection of a view that shows none."""
        none = np.zeros(0, np.int64)
        return cls(none, 1.0, True, none, 0.0)


@dataclass(frozen=True, eq=False)
class _Seen:
    """Some nodes in view.

    Attributes
    ----------
    rows : (n,) int64
    gaps : (n,) float64
        Framebuffer pixels between their points, where they are not refined.
    importance : (n,) float64
        The same weighted to the focus, never more than the parent's.
    part : (n,) float64
        How much of each lies in the slab.
    places : (n,) int64
        Where they were among those that were asked for.
    """

    rows: IntArray
    gaps: FloatArray
    importance: FloatArray
    part: FloatArray
    places: IntArray


def select_nodes(
    table: NodeTable, shown: PointView, most_points: float, gap: float = 1.0
) -> NodeSelection:
    """Choose the nodes of a view.

    Parameters
    ----------
    table : NodeTable
    shown : PointView
    most_points : float
        Points that may be drawn.
    gap : float
        Framebuffer pixels that points may lie apart.
    """
    projection = Projection.of(shown.view)
    seen = _see(table, shown, projection, np.arange(table.roots))
    if not len(seen.rows):
        return NodeSelection.nothing()
    chosen, waiting = [seen], [_coarse(table, seen, gap)]
    owners = [np.full(len(seen.rows), -1)]
    known = float((table.counts[seen.rows] * seen.part).sum())
    known_importance = [np.full(len(seen.rows), math.inf)]
    refined: list[IntArray] = []
    while True:
        # All that wait, with their places among the nodes found so far.
        importance = np.concatenate([s.importance for s in chosen])
        wait = np.concatenate(waiting)
        best = importance[wait].max(initial=-math.inf)
        if best == -math.inf:
            break
        if known > most_points:
            # What is found above the best that waits fills the budget already.
            above = np.concatenate(known_importance) > best
            counts = np.concatenate([table.counts[s.rows] * s.part for s in chosen])
            if counts[above].sum() > most_points:
                break
        picked = np.flatnonzero(wait & (importance >= best / 2))
        rows = np.concatenate([s.rows for s in chosen])
        owner, children = table.children(rows[picked])
        found = _see(table, shown, projection, children, importance[picked][owner])
        own = picked[owner[found.places]]
        for block, start in zip(waiting, np.cumsum([0, *map(len, waiting)]), strict=False):
            inside = picked[(picked >= start) & (picked < start + len(block))] - start
            block[inside] = False
        refined.append(picked)
        chosen.append(found)
        waiting.append(_coarse(table, found, gap))
        owners.append(own)
        known_importance.append(importance[own])
        known += float((table.counts[found.rows] * found.part).sum())
    return _affordable(table, chosen, owners, refined, most_points, gap)


def _see(
    table: NodeTable,
    shown: PointView,
    projection: Projection,
    rows: IntArray,
    most: FloatArray | None = None,
) -> _Seen:
    """Return those of some nodes that are in view; `most`: their parents' importance."""
    lows, highs = table.lows[rows], table.highs[rows]
    low, high = np.array(shown.low), np.array(shown.high)
    inside = ((highs >= low) & (lows <= high)).all(axis=1)
    displayed = list(shown.displayed)
    boxes = np.zeros((len(rows), 6))
    rank = len(displayed)
    boxes[:, 3 - rank : 3] = lows[:, displayed] - shown.reach
    boxes[:, 6 - rank :] = highs[:, displayed] + shown.reach
    seen, depth = projection.see(boxes)
    kept = np.flatnonzero(inside & seen)
    boxes, depth, rows = boxes[kept], depth[kept], rows[kept]
    part = np.ones(len(kept))
    for axis in range(table.ndim):
        if axis in displayed:
            continue
        width = highs[kept, axis] - lows[kept, axis]
        overlap = np.minimum(high, highs[kept])[:, axis] - np.maximum(low, lows[kept])[:, axis]
        wide = width > 0
        part[wide] *= np.clip(overlap[wide] / width[wide], 0, 1)
    pixels = (boxes[:, 3:] - boxes[:, :3]) * projection.pixels / depth[:, np.newaxis]
    sides = np.sort(np.maximum(pixels, 1.0), axis=1)
    points = np.maximum(table.drawn_within[rows] * part, 1.0)
    gaps = np.sqrt(sides[:, 1] * sides[:, 2] / points)
    distance = projection.focus_distance(boxes)
    importance = gaps / (1 + distance / projection.reach)
    if most is not None:
        importance = np.minimum(importance, most[kept])
    return _Seen(rows, gaps, importance, part, kept)


def _coarse(table: NodeTable, seen: _Seen, gap: float) -> np.ndarray:
    """Tell which nodes should be refined."""
    coarse: np.ndarray = (seen.gaps > gap) & (table.child_counts[seen.rows] > 0)
    return coarse


def _affordable(
    table: NodeTable,
    chosen: list[_Seen],
    owners: list[IntArray],
    refined: list[IntArray],
    most_points: float,
    gap: float,
) -> NodeSelection:
    """Keep the refinements, most important first, for whose points the budget suffices."""
    rows = np.concatenate([s.rows for s in chosen])
    importance = np.concatenate([s.importance for s in chosen])
    gaps = np.concatenate([s.gaps for s in chosen])
    part = np.concatenate([s.part for s in chosen])
    owner = np.concatenate(owners)
    points = table.counts[rows] * part
    roots = owner < 0
    of_roots = float(points[roots].sum())
    share = 1.0 if of_roots <= most_points else max(most_points / of_roots, 1e-9)
    inner = np.concatenate(refined) if refined else np.zeros(0, np.int64)
    gained = np.bincount(owner[~roots], points[~roots], minlength=len(rows))
    # Stable, and parents are found before their children: so they come first among equals.
    inner = np.sort(inner)
    inner = inner[np.argsort(-importance[inner], kind="stable")]
    n = int(gained[inner].cumsum().searchsorted(most_points - of_roots, "right"))
    if share < 1:
        n = 0
    open_ = np.zeros(len(rows) + 1, np.bool_)
    open_[inner[:n]] = open_[-1] = True
    kept = np.flatnonzero(open_[owner])
    urgency = np.where(roots[kept], math.inf, importance[owner[kept]])
    order = kept[np.argsort(-urgency, kind="stable")]
    is_open = open_[:-1][order]
    below = (table.subtrees[rows[order]] - table.counts[rows[order]]) * part[order]
    missing = np.where(is_open, 0, below).astype(np.int64)
    too_coarse = (gaps[order] > gap) & (table.child_counts[rows[order]] > 0) & ~is_open
    in_view = float(points[order].sum() + missing.sum())
    return NodeSelection(
        rows[order], share, share == 1.0 and not bool(too_coarse.any()), missing, in_view
    )
