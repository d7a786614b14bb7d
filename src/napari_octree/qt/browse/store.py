"""What a browser of stores needs to know of a store, and what it can be asked to open.

Invariants: the dock knows these values only, no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np


class Node(Protocol):
    """A group, an array or a folder of a store."""

    @property
    def where(self) -> str:
        """Path or address, without secrets."""
        ...

    @property
    def name(self) -> str:
        """For a list."""
        ...

    @property
    def kind(self) -> str:
        """What it is."""
        ...

    @property
    def summary(self) -> str:
        """One line about it."""
        ...

    @property
    def details(self) -> Mapping[str, Any]:
        """Its metadata."""
        ...

    @property
    def looked_at(self) -> bool:
        """All of this is known."""
        ...

    @property
    def problem(self) -> str:
        """Why it cannot be read; "" if it can."""
        ...

    @property
    def can_open(self) -> bool:
        """Whether it can be opened as layers."""
        ...

    @property
    def may_have_children(self) -> bool:
        """Whether something may lie below."""
        ...


class Store(Protocol):
    """A tree of nodes; methods are called in worker threads."""

    @property
    def root(self) -> Any:
        """The node at the top."""
        ...

    def look(self, node: Any) -> Any:
        """Read what a node is."""
        ...

    def children(self, node: Any) -> Sequence[Any]:
        """What lies below a node."""
        ...

    def thumbnail(self, node: Any) -> np.ndarray | None:
        """A small picture, (rows, columns, 3) uint8."""
        ...


@dataclass(frozen=True)
class OpenChoice:
    """How something is opened.

    Attributes
    ----------
    layer : {"", "image", "labels"}
        Type of layer; "": as the metadata say.
    renderer : {"octree", "napari"}
        Ours, or napari's own layers.
    rendering : str
        How volumes are drawn in 3-D; "": as the layer does by itself.
    new_window : bool
    """

    layer: Literal["", "image", "labels"] = ""
    renderer: Literal["octree", "napari"] = "octree"
    rendering: str = ""
    new_window: bool = False


@dataclass(frozen=True)
class BrowserActions:
    """What a browser asks of others.

    Attributes
    ----------
    read : callable
        `read(address) -> Store`; in a worker; raises with a message for people.
    show : callable
        `show(store, node, choice)` adds layers (GUI thread); tells by itself what went wrong.
    known : callable
        `known()` returns addresses that were opened before, the latest first.
    remember : callable
        `remember(address)` keeps one.
    """

    read: Callable[[str], Store]
    show: Callable[[Store, Any, OpenChoice], Any]
    known: Callable[[], Sequence[str]] = tuple
    remember: Callable[[str], None] = lambda address: None
