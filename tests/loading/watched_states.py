"""Every change of the state of a tile or chunk, as it happens."""

from contextlib import contextmanager

from napari_octree.loading.scheduling.model import Chunk, Tile


@contextmanager
def transitions(allowed=None):
    """Collect (from, to) of all tiles and chunks; with `allowed`, raise at any other."""
    seen = set()
    kept = {(Tile, "stage"): Tile.stage, (Chunk, "state"): Chunk.state}
    for (owner, name), slot in kept.items():
        setattr(owner, name, _watched(slot, seen, allowed))
    try:
        yield seen
    finally:
        for (owner, name), slot in kept.items():
            setattr(owner, name, slot)


def _watched(slot, seen, allowed):
    def get(thing):
        return slot.__get__(thing)

    def change(thing, state):
        try:
            former = slot.__get__(thing)
        except AttributeError:  # it is being made
            former = state
        slot.__set__(thing, state)
        if former is not state:
            assert allowed is None or (former, state) in allowed, f"{former} to {state}"
            seen.add((former, state))

    return property(get, change)
