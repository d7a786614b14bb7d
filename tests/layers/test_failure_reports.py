"""What the user is told of failing and healing sources."""

from napari.utils.notifications import notification_manager

from napari_octree import OctreeConfig
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.views.failure_reports import notice_of, report_failures
from napari_octree.loading import ChunkLoader, LoadFailure


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
