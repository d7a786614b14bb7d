"""What the user is told of failing and healing sources."""

from napari.utils.notifications import notification_manager

from napari_octree import OctreeConfig
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.failure_reports import notice_of, report_failures
from napari_octree.loading import ChunkLoader, LoadFailure
from napari_octree.sources.identity import SourceGroup


def test_a_source_that_fails_and_heals_is_told_once_each():
    loader = ChunkLoader(OctreeConfig())
    report_failures(loader)
    report_failures(loader)  # as each layer of the loader does
    with notification_manager:
        notification_manager.records.clear()
        place = "https://host/images/cells.zarr/0"
        loader.on_failure.emit(LoadFailure(place, "ConnectionError", "refused"))
        loader.on_healed.emit(place)
        MAIN_LOOP.drain()
        said = [str(record.message) for record in notification_manager.records]
        notification_manager.records.clear()
    assert len(said) == 2
    assert said[0].startswith("cells.zarr/0: ConnectionError: refused\n")
    assert said[0].endswith(place)
    assert said[1] == "cells.zarr/0: can be read again."
    loader.close()


class Shown:
    """A layer, as far as notices ask it."""

    def __init__(self, name, group):
        self.name, self._group = name, group

    def reads(self, group):
        return group == self._group


def test_a_notice_begins_with_the_name_of_the_layer_that_alone_shows_it():
    ours, others = SourceGroup(1, "Slow"), SourceGroup(2, "Slow (2)")
    layers = [Shown("GFP", ours), Shown("DAPI", others), Shown("RFP", others)]
    loader = ChunkLoader(OctreeConfig())
    report_failures(loader, lambda: layers)
    with notification_manager:
        notification_manager.records.clear()
        for group in (ours, others):
            loader.on_failure.emit(LoadFailure(group.name, "refused", "", group=group))
            loader.on_healed.emit(group.name)
        MAIN_LOOP.drain()
        said = [str(record.message) for record in notification_manager.records]
        notification_manager.records.clear()
    advice = "Some pixels could not be read. To try again: Layers ▸ Visualize ▸ Reload."
    assert said == [
        f"GFP: refused\n{advice}",
        "GFP: can be read again.",
        f"Slow (2): refused\n{advice}",
        "Slow (2): can be read again.",
    ]
    loader.close()


def test_the_problem_stands_in_the_first_line_and_the_address_once():
    def lines(*failure):
        return notice_of(LoadFailure(*failure)).split("\n")

    place = "https://host/cells.zarr/0"
    assert lines(place, "connection refused", "")[::2] == [
        "cells.zarr/0: connection refused",
        place,
    ]
    assert (
        lines("Array", "ConnectionError", "no way to the host")[0] == "Array: no way to the host"
    )
    assert lines("Array", "KeyError", "a b")[0] == "Array: KeyError: a b"
    assert len(lines("Array", "KeyError", "a b")) == 2
