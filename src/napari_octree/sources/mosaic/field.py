"""One image of a mosaic, and who opens it.

Invariants: openers and fields are asked in worker threads only, may block there, and may be asked
by several at once; a field that is not there is None, one that cannot be reached raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

from napari_octree.sources.protocol import LevelSource

T = TypeVar("T")

PixelSize = tuple[float, ...]
"""Of a level: in pixels of the mosaic's finest level, per axis."""


class Field(Protocol):
    """An image of a mosaic.

    Attributes
    ----------
    name : str
    pixel_sizes : tuple of PixelSize
        Of its levels, finest first.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def pixel_sizes(self) -> tuple[PixelSize, ...]: ...  # noqa: D102

    def level(self, number: int) -> LevelSource | None:
        """Open a level, with as many axes as the mosaic; None if it is not there."""
        ...


class FieldOpener(Protocol):
    """Opens the fields of a mosaic when they are wanted."""

    def field(self, number: int) -> Field | None:
        """Open a field; None if it is not there."""
        ...

    def prepare(self, numbers: Sequence[int], pixel_size: PixelSize, turn: int) -> None:
        """Fetch side by side what `field` and `level` will need; errors are theirs to raise."""
        ...

    def run(self, tasks: Sequence[Callable[[], T]], turn: int) -> list[T | BaseException]:
        """Run reads of several fields, side by side where they mostly wait."""
        ...

    def turn(self) -> AbstractContextManager[None]:
        """Wait until this thread may `run` reads, and make something of them."""
        ...

    def forget(self) -> None:
        """Open fields anew when they are asked for next (any thread)."""
        ...


@dataclass(frozen=True, eq=False)
class GivenField:
    """A field whose levels are at hand."""

    name: str
    levels: tuple[LevelSource, ...]
    pixel_sizes: tuple[PixelSize, ...]

    def level(self, number: int) -> LevelSource | None:
        """Return a level."""
        return self.levels[number]


@dataclass(frozen=True, eq=False)
class GivenFields:
    """The opener of fields that are at hand."""

    fields: tuple[GivenField, ...]

    def field(self, number: int) -> GivenField:
        """Return a field."""
        return self.fields[number]

    def prepare(self, numbers: Sequence[int], pixel_size: PixelSize, turn: int) -> None:
        """Nothing has to be prepared."""

    def run(self, tasks: Sequence[Callable[[], T]], turn: int) -> list[T | BaseException]:
        """Run the reads one after the other: the loader has threads for the others."""
        return run_in_turn(tasks)

    def turn(self) -> AbstractContextManager[None]:
        """Read whenever the loader does."""
        return nullcontext()

    def forget(self) -> None:
        """The levels at hand are all there is."""


def run_in_turn(tasks: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Run tasks one after the other; return the result of each, or the error that it raised."""
    results: list[T | BaseException] = []
    for task in tasks:
        try:
            results.append(task())
        except Exception as error:  # whoever asked decides what it means
            results.append(error)
    return results
