"""TilePicture: what is drawn of the tiles that an atlas holds.

Invariants: GUI thread only; every place in view is drawn once. A new atlas is filled while the
former one is drawn, until it shows as much: replacing it blanks nothing. What stands in (the
former atlas, the former slice) is dropped as soon as it is not needed, and never fades.
"""

from __future__ import annotations

from collections.abc import Collection

from napari_octree.layers.slices.octree_slice import OctreeSlice
from napari_octree.layers.slices.slice_key import TileKey
from napari_octree.octree.chunk_key import ChunkKey
from napari_octree.octree.cover.cover import Cover, Resident, cover, ideal_cover
from napari_octree.octree.cover.intersection import OctreeIntersection
from napari_octree.rendering.tiles.atlas.atlas_tiles import AtlasTiles
from napari_octree.rendering.tiles.atlas.texture_atlas_2d import TextureAtlas2D
from napari_octree.rendering.tiles.picture.fade_in import FadeIn, mixed
from napari_octree.rendering.tiles.picture.former_slice import FormerSlice
from napari_octree.rendering.tiles.picture.quads import Quads, quads_of


class TilePicture:
    """The picture of one view after the other.

    Parameters
    ----------
    fade_ms : float
        How long finer tiles fade in; 0: they do not.

    Attributes
    ----------
    tiles : AtlasTiles or None
        Of the atlas that is filled.
    stand_in : AtlasTiles or None
        Of the one that is drawn until then.
    former : FormerSlice
    cover : Cover or None
        Of the present slice, whatever stands in for it.
    quads : Quads or None
    levels : frozenset of int
        Those that `quads` show something of.
    """

    def __init__(self, fade_ms: float) -> None:
        self.tiles: AtlasTiles | None = None
        self.stand_in: AtlasTiles | None = None
        self.former = FormerSlice()
        self.cover: Cover | None = None
        self.quads: Quads | None = None
        self.levels: frozenset[int] = frozenset()
        self._fade = FadeIn(fade_ms)

    def fade_in(self, fade_ms: float) -> None:
        """Have finer tiles fade in so long from now on; 0: not at all."""
        self._fade = FadeIn(fade_ms)

    def stage(self, atlas: TextureAtlas2D, octree_slice: OctreeSlice | None) -> None:
        """Have another atlas filled from now on."""
        if self.stand_in is None and self.tiles is not None and any(self.tiles.levels.values()):
            self.stand_in = self.tiles
        self.tiles = AtlasTiles(atlas, octree_slice.key if octree_slice is not None else None)

    def let_go(self) -> None:
        """Draw from the former atlas no longer: its memory is needed."""
        self.tiles = self.stand_in = self.cover = None

    def turn(self, before: OctreeSlice | None, now: OctreeSlice | None) -> None:
        """Show another slice from now on, or the same one with better sources."""
        self.former.leave(before, now, self.cover)
        for tiles in filter(None, (self.tiles, self.stand_in)):
            slots = tiles.atlas.slots
            if before is not None and now is not None:
                slots.outdate(now.outdated(before, slots))
                if now.renews(before):
                    chunks = [tile.chunk for tile in slots if tile.place == before.key]
                    slots.rename((TileKey(before.key, c), TileKey(now.key, c)) for c in chunks)
            tiles.follow(now.key if now is not None else None)

    def clear(self) -> bool:
        """Show nothing. Returns whether something was shown."""
        shown = self.quads is not None
        self.cover = self.quads = None
        return shown

    def draw(
        self,
        octree_slice: OctreeSlice,
        intersection: OctreeIntersection,
        held_back: Collection[ChunkKey],
        failed: Collection[TileKey],
        marked_before: Collection[ChunkKey],
        to_come: bool,
        serves: bool,
        now: float,
    ) -> None:
        """Make `quads` of what is there.

        Parameters
        ----------
        octree_slice : OctreeSlice
        intersection : OctreeIntersection
        held_back : collection of ChunkKey
            Ideal tiles that are there, but not to be drawn yet.
        failed : collection of TileKey
            Tiles of any slice that cannot be read.
        marked_before : collection of ChunkKey
            Those of them that are marked by another channel.
        to_come : bool
            More will come for this view.
        serves : bool
            The stand-in shows all there is to show: see `stand_in_serves`.
        now : float
            Seconds.
        """
        assert self.tiles is not None
        octree, shown = octree_slice.octree, self.tiles
        resident = _without(shown.levels, intersection.level, held_back)
        if not held_back and shown.are_here(intersection.chunks):
            drawn = ideal_cover(intersection)
        else:
            drawn = cover(octree, intersection, resident)
        if self.stand_in is not None:
            former = cover(octree, intersection, self.stand_in.levels)
            if to_come and (serves or not _shows_as_much(drawn, former)):
                shown, drawn = self.stand_in, former
            else:
                self.stand_in = None
        self.cover = drawn
        slice_key = octree_slice.key
        kept = None
        if self.stand_in is None and to_come:
            kept = self.former.instead_of(drawn, intersection, shown.atlas.slots)
        else:
            self.former.drop()
        if kept is not None:
            slice_key, drawn = kept
        if kept is not None or self.stand_in is not None:
            self._fade.stop()
        else:
            self._fade.see(slice_key, intersection, drawn, now)
        under: Cover | None = None
        if self._fade.running:
            drawn, under, weights = mixed(
                octree, intersection, drawn, resident, self._fade.weights
            )
        marked: Collection[ChunkKey] = ()
        if failed:
            marked = {tile.chunk for tile in failed if tile.place == slice_key}
            marked.difference_update(marked_before)

        def quads(of: Cover) -> Quads:
            numbers = shown.numbers(slice_key, of.chunks)
            shown.atlas.slots.touch(numbers)
            return quads_of(of, numbers, octree, intersection.level, shown.atlas, marked)

        self.quads = quads(drawn)
        self.levels = drawn.levels(intersection.level)
        if under is not None:
            self.quads = self.quads.over(quads(under), weights)
            self.levels |= under.levels(intersection.level)

    @property
    def shown_atlas(self) -> TextureAtlas2D | None:
        """The atlas that `quads` are of."""
        shown = self.stand_in or self.tiles
        return None if shown is None else shown.atlas

    @property
    def changing(self) -> bool:
        """The next frame may be another picture, even if nothing more comes."""
        return self.stand_in is not None or self.fading

    @property
    def fading(self) -> bool:
        """Something is fading in."""
        return self._fade.running

    def stand_in_serves(self, planned: OctreeIntersection) -> bool:
        """The former atlas shows all there is to show: the new one only has another size."""
        former = self.stand_in
        if former is None:
            return False
        assert self.tiles is not None
        old, new = former.atlas, self.tiles.atlas
        if (old.encoding, old.apron) != (new.encoding, new.apron):
            return False
        return former.are_final(planned.chunks)


def _without(resident: Resident, level: int, chunks: Collection[ChunkKey]) -> Resident:
    if not chunks:
        return resident
    return {**resident, level: set(resident[level]).difference(chunks)}


def _shows_as_much(drawn: Cover, former: Cover) -> bool:
    """Whether `drawn` has no blank that `former` has not, and as many ideal tiles."""
    if len(drawn.blank) and not len(former.blank):
        return False
    return int(drawn.ideal.sum()) >= int(former.ideal.sum())
