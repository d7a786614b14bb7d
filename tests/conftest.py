"""Fixtures that all rooms share.

Invariants: no test sees the user's napari settings or plugins' settings; nothing sleeps: a test
waits by running the Qt loop until something is true (`pump_until`), or holds and releases reads
(`read_log.hold`); a viewer's canvas has exactly the asked shape, and the test fails if it leaks.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from cameras import off_tie_center
from lent_windows import LentWindows
from recording_array import ReadLog, RecordingArray, random_pixels

if TYPE_CHECKING:
    import napari

CANVAS_SHAPE = (300, 400)

# How long an example takes says more about what else the machine does than about us.
settings.register_profile(
    "steady", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

# Pictures are small, and Mesa's software renderer is slower with more threads than cores.
os.environ.setdefault("LP_NUM_THREADS", "1")

# What is imported while tests are collected stays: looking for garbage in it is a quarter of that.
# By its threshold: dask, imported while the collector is disabled, disables it with each slice.
_GARBAGE_THRESHOLDS = gc.get_threshold()
gc.set_threshold(0)

# napari reads these when it is first imported, which no import above does.
_SETTINGS_FOLDER = tempfile.TemporaryDirectory(prefix="napari-octree-tests-")
os.environ["NAPARI_CONFIG"] = str(Path(_SETTINGS_FOLDER.name) / "settings.yaml")
os.environ.pop("NAPARI_OCTREE", None)
os.environ.pop("NAPARI_ASYNC", None)


_AS_LONG_AS = {
    "tests/test_soak.py": 40,
    "tests/docs/test_examples.py": 40,
    "tests/rendering/test_byte_orders.py": 20,
    "tests/rendering/test_atlas_lease.py": 20,
    "tests/rendering/labels/test_labels_3d.py": 20,
    "tests/rendering/labels/test_labels_against_stock.py": 20,
    "tests/rendering/test_third_party_zarr.py": 20,
    "tests/rendering/points/test_points_against_stock.py": 20,
    "tests/layers/test_no_reads_in_the_gui_thread.py": 20,
    "tests/plugin/test_dask_cluster.py": 12,
    "tests/loading/test_soak.py": 10,
    "tests/layers/test_faulty_store.py": 10,
}
"""Files of few tests that take long, and how many tests of others take as long."""


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist hand files out in our order."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, that no process is left with one at the end."""
    counts = Counter(item.path for item in items)
    for name, count in _AS_LONG_AS.items():
        path = config.rootpath / name
        if path in counts:
            counts[path] = max(count, counts[path])
    items.sort(key=lambda item: -counts[item.path])


def pytest_collection_finish() -> None:
    """Look for garbage again."""
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


@pytest.fixture(scope="module", autouse=True)
def _collections_of_one_module() -> None:
    """Leave what former modules hold out of garbage collections.

    Each viewer's end collects; over all that a thousand tests have imported and made, that
    takes seconds, and most of the time of the run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _memory_of_one_module() -> None:
    """Let sources keep what they like: a former module's loader may have had little memory."""
    from napari_octree.sources.kept_bytes import KEPT

    KEPT.allowed = None


@pytest.fixture(scope="session")
def _no_idle_collector() -> Iterator[None]:
    """Switch our collector of idle times off: it would leave alone what is frozen here anyway.

    To see that, it has Python count what is frozen, one by one: a tenth of the run's time.
    """
    from napari_octree.rendering.canvas.idle_collector import IDLE_COLLECTOR

    IDLE_COLLECTOR._gc = SimpleNamespace(isenabled=lambda: False)
    yield
    IDLE_COLLECTOR._gc = gc


@pytest.fixture(autouse=True, scope="session")
def _edits_of_tests_only() -> None:
    """Keep what tests paint on labels out of the user's cache folder."""
    from napari_octree.layers.labels.painting.scratch import place

    place.user_cache_path = lambda name: Path(_SETTINGS_FOLDER.name) / "cache" / name


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    """Arguments of the QApplication; without a display Qt would end the whole run by abort()."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        pytest.fail("no display: run `make test`, or `xvfb-run -a pytest`", pytrace=False)
    return ["pytest"]


@pytest.fixture
def read_log() -> Iterator[ReadLog]:
    """What was read from this test's recording arrays; its gate is opened at the end."""
    log = ReadLog()
    yield log
    log.release()


@pytest.fixture
def recording_array(read_log: ReadLog) -> Callable[..., RecordingArray]:
    """`recording_array(data, chunks=None, name="array")`: its reads go to `read_log`."""

    def make(
        data: np.ndarray, chunks: Sequence[int] | None = None, name: str = "array"
    ) -> RecordingArray:
        return RecordingArray(data, read_log, chunks, name)

    return make


@pytest.fixture
def recording_pyramid(recording_array: Callable[..., RecordingArray]) -> Callable[..., list]:
    """`recording_pyramid(shape, levels=3, dtype="uint8", chunks=None)`: levels of random pixels.

    Every second pixel of the last two axes makes the next level. Levels are named "level 0" and
    so on in the log.
    """

    def make(
        shape: Sequence[int],
        levels: int = 3,
        dtype: Any = "uint8",
        chunks: Sequence[int] | None = None,
    ) -> list[RecordingArray]:
        data = random_pixels(shape, dtype)
        return [
            recording_array(data[..., :: 2**level, :: 2**level], chunks, f"level {level}")
            for level in range(levels)
        ]

    return make


@pytest.fixture
def pump_until(qapp: Any) -> Callable[..., None]:
    """`pump_until(predicate, timeout=30)`: run the Qt loop until the predicate is true.

    The predicate is asked after every turn of the loop, and at least each 5 ms. The test fails
    when `timeout` seconds have passed.
    """
    from qtpy.QtCore import QEventLoop, QTimer

    def pump(predicate: Callable[[], object], timeout: float = 30.0) -> None:
        deadline = monotonic() + timeout
        loop = QEventLoop()
        heartbeat = QTimer()
        heartbeat.start(5)
        try:
            while not predicate():
                if monotonic() > deadline:
                    pytest.fail(f"still not true after {timeout} s: {predicate}")
                loop.processEvents(
                    QEventLoop.ProcessEventsFlag.AllEvents
                    | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
                )
        finally:
            heartbeat.stop()

    return pump


@pytest.fixture
def no_loaders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which nobody has asked for a loader yet: its counts are one test's alone."""
    from napari_octree.loading import loader
    from napari_octree.loading.dispatcher import Dispatcher

    loaders: dict[str, loader.ChunkLoader] = {}
    monkeypatch.setattr(loader, "_loaders", loaders)
    monkeypatch.setattr(loader, "_dispatcher", Dispatcher())
    yield
    for one in loaders.values():
        one.close()


@pytest.fixture
def pump(qapp: Any) -> Callable[[], None]:
    """`pump()`: run the Qt loop until nothing is left to do right now."""

    def turn() -> None:
        for _ in range(10):
            qapp.processEvents()

    return turn


@pytest.fixture
def let_rest(pump: Callable[[], None], pump_until: Callable[..., None]) -> Callable[[Any], None]:
    """`let_rest(layer)`: run the Qt loop until the layer is settled and nothing is to come.

    Only then is a count of all that was read complete: what is read ahead comes after settling.
    """

    def rest(layer: Any) -> None:
        def quiet() -> bool:
            if not layer.settled or any(
                view._rest.running or view._patience.isActive() or view.drawing.client.ready
                for view in layer._views
            ):
                return False
            counted = layer.loader.statistics
            if counted.pending or counted.reading or counted.assembling:
                return False
            dispatcher = layer.loader._dispatcher
            with dispatcher.lock:
                return (
                    dispatcher.scheduler.next_due(monotonic()) is None
                )  # and nothing is only delayed

        pump_until(quiet)
        pump()  # the frame after the view has come to rest may wish for more
        pump_until(quiet)

    return rest


@pytest.fixture
def make_viewer(
    make_napari_viewer: Callable[..., napari.Viewer],
    pump_until: Callable[..., None],
    _no_idle_collector: None,
) -> Callable[..., napari.Viewer]:
    """`make_viewer(canvas_shape=(300, 400), **viewer_keywords)`: shown, and closed at the end.

    Docks are hidden, and the canvas is fixed to `canvas_shape` (height, width). The test fails
    when its Qt viewer is still alive after closing. napari's status thread does not run.
    """

    def make(canvas_shape: tuple[int, int] = CANVAS_SHAPE, **keywords: Any) -> napari.Viewer:
        viewer = make_napari_viewer(show=True, **keywords)
        _arrange(viewer, canvas_shape, pump_until)
        return viewer

    return make


def _arrange(
    viewer: napari.Viewer, canvas_shape: tuple[int, int], pump_until: Callable[..., None]
) -> None:
    """Hide the docks, and fix the size of the canvas."""
    qt_viewer = viewer.window._qt_viewer
    qt_viewer.dockLayerControls.setVisible(False)
    qt_viewer.dockLayerList.setVisible(False)
    height, width = canvas_shape
    qt_viewer.canvas.native.setFixedSize(width, height)
    viewer.window._qt_window.resize(1, 1)  # each frame of a canvas draws all of its window anew
    pump_until(lambda: tuple(qt_viewer.canvas.size) == canvas_shape)


@pytest.fixture
def viewer(make_viewer: Callable[..., napari.Viewer]) -> napari.Viewer:
    """A shown viewer with a canvas of 300 × 400 screen pixels.

    It is the test's own; the rooms that need hundreds lend one (`lent_viewer`) under this name.
    """
    return make_viewer()


@pytest.fixture(scope="module")
def lent_with_controls() -> bool:
    """Whether lent windows make controls for layers; a room without tests of them says no."""
    return True


@pytest.fixture(scope="module")
def lent_canvas_shape() -> tuple[int, int]:
    """Height and width of lent windows' canvases, in screen pixels."""
    return CANVAS_SHAPE


@pytest.fixture(scope="module")
def _lent_windows(
    qapp: Any, _no_idle_collector: None, lent_with_controls: bool
) -> Iterator[LentWindows]:
    """Not for longer: other modules look for windows that are on the screen."""
    windows = LentWindows(lent_with_controls)
    yield windows
    windows.close()


@pytest.fixture
def lent_viewer(
    _lent_windows: LentWindows,
    lent_canvas_shape: tuple[int, int],
    qtbot: Any,
    pump_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[napari.Viewer]:
    """Like `viewer`, but the same window as in former tests, as good as new."""
    import napari

    monkeypatch.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None)

    def make() -> napari.Viewer:
        viewer = napari.Viewer(show=True, show_welcome_screen=False)
        qtbot.wait_exposed(viewer.window._qt_window, timeout=60_000)
        return viewer

    with _lent_windows.used():
        viewer = _lent_windows.lend(make)
        _arrange(viewer, lent_canvas_shape, pump_until)
        yield viewer
        _lent_windows.take_back(sound=not request.node.rep_call.failed)


@pytest.fixture
def look_at(pump: Callable[[], None]) -> Callable[..., None]:
    """`look_at(viewer, center, zoom, texel=(1, 1), origin=(-0.5, -0.5))`: an off-tie camera.

    `center` is (y, x) in world coordinates; it is moved by up to half a texel so that pictures
    can be compared pixel by pixel (see `cameras.off_tie_center`).
    """

    def look(
        viewer: napari.Viewer,
        center: Sequence[float],
        zoom: float,
        texel: Sequence[float] = (1.0, 1.0),
        origin: Sequence[float] = (-0.5, -0.5),
    ) -> None:
        shape = viewer.window._qt_viewer.canvas.size
        viewer.scene.camera.zoom = zoom
        viewer.scene.camera.center = (0.0, *off_tie_center(center, zoom, shape, texel, origin))
        pump()

    return look


@pytest.fixture
def screenshot() -> Callable[[Any], np.ndarray]:
    """`screenshot(viewer)`: the canvas as it is now, uint8 of shape (height, width, 4)."""

    def shoot(viewer: napari.Viewer) -> np.ndarray:
        return viewer.screenshot(canvas_only=True, flash=False)

    return shoot
