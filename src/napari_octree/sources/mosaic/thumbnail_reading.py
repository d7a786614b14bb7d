"""Small pictures of the fields of a mosaic: those at hand, and the others read side by side.

Invariants: worker threads only; a picture has the mosaic's type and the shape of the box that was
asked for; a field that cannot be read has its error in place of a picture. A picture that two
threads want, for two levels, is read once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from napari_octree.sources.derived.reduction import Reduction
from napari_octree.sources.mosaic.field import FieldOpener, PixelSize
from napari_octree.sources.mosaic.field_reading import Stored, cast, made_of
from napari_octree.sources.mosaic.thumbnails import THUMBNAILS
from napari_octree.sources.protocol import Region

AT_ONCE = 256
"""Fields whose stored pixels are in memory at once."""
SMALL_BYTES = 2**16
"""Larger ones are reduced as soon as they are read."""


Picture: TypeAlias = "np.ndarray | BaseException | None"


class UnderWay:
    """Pictures that some thread reads: another that wants one waits for it (any thread)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: dict[Hashable, Future[Picture]] = {}

    def claim(self, name: Hashable) -> tuple[Future[Picture], bool]:
        """Return what will hold a picture, and whether the caller has to `let_go` of it."""
        with self._lock:
            future = self._futures.get(name)
            if future is not None:
                return future, False
            future = self._futures[name] = Future()
            return future, True

    def let_go(self, name: Hashable, picture: Picture) -> None:
        """Hand a picture, or why there is none, to all who wait."""
        with self._lock:
            future = self._futures.pop(name)
        future.set_result(picture)


UNDER_WAY = UnderWay()
"""Those of the process."""


class Wanted(NamedTuple):
    """A picture of a field.

    Attributes
    ----------
    number : int
        Of the field.
    box : Region
        In pixels of the pictures, from the field's first pixel on.
    extent : tuple of int
        Size of the whole field in such pixels.
    """

    number: int
    box: Region
    extent: tuple[int, ...]


class ThumbnailReader(NamedTuple):
    """Reads the pictures of a mosaic's fields.

    Attributes
    ----------
    name : Hashable
        Of the mosaic.
    opener : FieldOpener
    pixel_size : PixelSize
        Of the pictures.
    read : callable
        Returns what a field has stored of a picture.
    dtype, fill_value
        Of the pictures.
    reduction : {"mean", "nearest"}
    turn : callable
        Within what it returns a thread reads, and works on what it has read.
    """

    name: Hashable
    opener: FieldOpener
    pixel_size: PixelSize
    read: Callable[[Wanted, PixelSize], Stored | None]
    dtype: np.dtype
    fill_value: object
    reduction: Reduction
    turn: Callable[[], AbstractContextManager[None]]

    def pictures(self, wanted: Sequence[Wanted], turn: int) -> list[Picture]:
        """Return a picture, None if nothing is there, or the error, for each that is wanted."""
        found: dict[Wanted, Picture] = {}
        mine: dict[Wanted, Future[Picture]] = {}
        others: dict[Wanted, Future[Picture]] = {}
        try:
            for one in wanted:
                name = (self.name, one.number, one.box)
                future, is_new = UNDER_WAY.claim(name)
                kept = THUMBNAILS.find(name)  # after the claim: who had it keeps, then lets go
                if kept is not None:
                    found[one] = kept[0]
                    if is_new:
                        UNDER_WAY.let_go(name, kept[0])
                else:
                    (mine if is_new else others)[one] = future
            if mine:
                self.opener.prepare([one.number for one in mine], self.pixel_size, turn)
            missing = list(mine)
            for start in range(0, len(missing), AT_ONCE):
                with self.turn():
                    read = self._read(missing[start : start + AT_ONCE], turn)
                for one, picture in read.items():
                    found[one] = picture
                    UNDER_WAY.let_go((self.name, one.number, one.box), picture)
        except BaseException as error:
            for one in mine:
                if one not in found:
                    UNDER_WAY.let_go((self.name, one.number, one.box), error)
            raise
        # Only now: whoever waits here has nothing that another could wait for.
        found.update((one, future.result()) for one, future in others.items())
        return [found[one] for one in wanted]

    def _read(self, wanted: Sequence[Wanted], turn: int) -> dict[Wanted, Picture]:
        tasks = [partial(self._stored, one) for one in wanted]
        results = dict(zip(wanted, self.opener.run(tasks, turn), strict=True))
        stored = {one: found for one, found in results.items() if isinstance(found, Stored)}
        made = made_of(list(stored.values()), self.reduction)
        pictures: dict[Wanted, Picture] = {
            one: found for one, found in results.items() if not isinstance(found, Stored)
        }
        for (one, (_, _, place)), pixels in zip(stored.items(), made, strict=True):
            sizes = tuple(b - a for a, b in one.box)
            picture = cast(pixels, self.dtype)
            if picture.shape == sizes:
                pictures[one] = picture.copy()  # not to keep all that it was made with
                continue
            pictures[one] = whole = np.full(sizes, self.fill_value, self.dtype)
            whole[place] = picture
        for one, picture_or_error in pictures.items():
            if not isinstance(picture_or_error, BaseException):
                THUMBNAILS.keep((self.name, one.number, one.box), picture_or_error)
        return pictures

    def _stored(self, one: Wanted) -> Stored | None:
        stored = self.read(one, self.pixel_size)
        if stored is None or stored.pixels.nbytes <= SMALL_BYTES:
            return stored
        pixels = made_of([stored], self.reduction)[0]
        return Stored(pixels, (1,) * pixels.ndim, stored.place)
