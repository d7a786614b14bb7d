"""What every octree layer has, whatever it shows: settings, loader, views, progress.

Invariants: main thread, unless a member says otherwise. The state of a view (camera, atlas)
belongs to the visual of that viewer, which attaches itself here; the layer owns its settings
and knows its views. Nothing here knows pixels: see `OctreeScalarField`.
"""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakSet

from napari.layers import Layer

from napari_octree.config import OctreeConfig
from napari_octree.layers.main_loop import MAIN_LOOP
from napari_octree.layers.source import PLUGIN
from napari_octree.layers.views.display_options import OctreeDisplayOptions
from napari_octree.layers.views.failure_reports import report_failures
from napari_octree.layers.views.octree_view import OctreeView, OctreeViews
from napari_octree.layers.views.plan_log import log_plans
from napari_octree.layers.views.progress import OctreeProgress
from napari_octree.layers.views.progress_events import ProgressEvents
from napari_octree.layers.views.residency import Residency
from napari_octree.layers.views.statistics import OctreeStatistics
from napari_octree.loading.loader import ChunkLoader, default_loader
from napari_octree.octree.view import View, VolumeView
from napari_octree.sources.identity import SourceGroup

_ALIVE: WeakSet[Any] = WeakSet()

STUCK_S = 0.2
"""As long as this nothing must be on its way until a script stops to wait for a layer."""


class OctreeLayer(Layer):
    """A layer that is drawn from an octree, with the parts that no kind of data changes.

    A class of layers derives from this first and from a layer class of napari second, so that
    this class's methods come before napari's.

    Parameters
    ----------
    data : any
        As the class of napari wants it.
    config : OctreeConfig, optional
        Default: `OctreeConfig.from_environment()`.
    **keywords
        Those of the class of napari.
    """

    events: Any  # napari's own says no more, and we add `settled` and `progress`

    def __init__(self, data: Any, config: OctreeConfig | None = None, **keywords: Any) -> None:
        self._config = config if config is not None else OctreeConfig.from_environment()
        self._loader: ChunkLoader = default_loader(self._config)
        report_failures(self._loader, alive_layers)
        log_plans(self._config.octree.log_path)
        self._views = OctreeViews()
        super().__init__(data, **keywords)
        self._progress_events = ProgressEvents(self)
        self.display = OctreeDisplayOptions()
        self.display.events.connect(lambda _: self._views.request_frames())
        _ALIVE.add(self)

    def _set_source(self, source: Any) -> None:
        """Take napari's word for where the layer came from, also if we had noted it (`source`)."""
        if self.source.reader_plugin == PLUGIN and not self.source.sample:
            self._source = source
        else:
            super()._set_source(source)

    @property
    def config(self) -> OctreeConfig:
        """The settings of this layer; others may be assigned, and apply at once.

        Raises
        ------
        RuntimeError
            When assigned: what they ask for is not there (as a dask cluster). Nothing changes.
        """
        return self._config

    @config.setter
    def config(self, config: OctreeConfig) -> None:
        if config is self._config:
            return
        loader = default_loader(config)
        former, self._config, self._loader = self._config, config, loader
        report_failures(loader, alive_layers)
        log_plans(config.octree.log_path)
        self._on_config(former)
        self._views.configure()
        self.tell_progress()

    @property
    def loader(self) -> ChunkLoader:
        """The process's loader."""
        return self._loader

    # ------------------------------------------------------------------- views

    def attach_view(self, view: OctreeView) -> None:
        """Count `view` in: it draws this layer in one viewer."""
        self._views.attach(view)
        self.tell_progress()

    def detach_view(self, view: OctreeView) -> None:
        """Forget `view`: its viewer has closed, or the layer was removed."""
        self._views.detach(view)
        self.tell_progress()

    def tell_progress(self) -> None:
        """A view has changed: tell the listeners soon."""
        self._progress_events.tell()

    @property
    def progress(self) -> OctreeProgress:
        """Chunks of the current view, summed over the viewers."""
        return self._views.progress

    @property
    def drawn_views(self) -> tuple[OctreeView, ...]:
        """The viewers' drawings of this layer, oldest first."""
        return tuple(self._views)

    @property
    def view(self) -> View | VolumeView | None:
        """What the view drawn last shows, in octree coordinates; None before any."""
        return self._views[-1].view if self._views else None

    @property
    def residency(self) -> Residency:
        """Tiles of the current slice on the GPU, and those that could not be read."""
        return self._views.residency

    @property
    def statistics(self) -> OctreeStatistics:
        """What has been counted so far."""
        counted = self._loader.statistics.as_dict()
        return OctreeStatistics(self._views.statistics, counted, self._refined_share)

    # ----------------------------------------------------------------- settled

    @property
    def settled(self) -> bool:
        """Every ideal chunk of the current view is drawn, in every viewer that shows the layer."""
        return self._model_settled and (not self.visible or self._views.settled)

    @property
    def _stuck(self) -> bool:
        """Nothing more will come by itself: all is there, or what is missing has failed."""
        return self._model_at_rest and self._views.stuck

    @property
    def _awaited(self) -> bool:
        """Something is to come. While a view moves a sign that flickers would only be nervous."""
        return not (self._views.moving or self.settled or self._stuck)

    def wait_until_settled(self, timeout: float = 30) -> bool:
        """Run the event loop until the layer is settled.

        For scripts, screenshots and tests; main thread only.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        bool
            Whether it is settled. False early where reads have failed and nothing more
            will come: see `progress.failed`.
        """
        self._views.request_frames()
        stuck_since: float | None = None

        def done() -> bool:
            nonlocal stuck_since
            if self.settled:
                return True
            if not self._stuck:
                stuck_since = None
                return False
            # The next frames may ask for more: what lies below a brick that has just failed.
            if stuck_since is None:
                stuck_since = time.monotonic()
                self._views.request_frames()
            MAIN_LOOP.post(lambda: None)  # asks once more
            return time.monotonic() - stuck_since > STUCK_S

        MAIN_LOOP.run_until(done, timeout)
        self._progress_events.emit()  # listeners hear of it before the caller goes on
        return self.settled

    # --------------------------------------------------- what kinds of data add

    @property
    def _model_settled(self) -> bool:
        """What the layer itself loads, beside what its views load, is there."""
        return True

    @property
    def _model_at_rest(self) -> bool:
        """Of what the layer itself loads nothing more will come."""
        return True

    @property
    def _refined_share(self) -> float:
        """How much of what is computed in the background is done."""
        return 1.0

    def reads(self, group: SourceGroup) -> bool:
        """Whether this layer shows what is read from there."""
        return False

    def _on_config(self, former: OctreeConfig) -> None:
        """Go by other settings, and by another loader, than before; the views follow."""

    def _show_awaited(self, awaited: bool) -> None:
        """Have napari's layer list show its loading sign, or not."""

    def _use_idle_time(self, settled: bool) -> None:
        """Hear of changed views after the listeners have: a `settled` layer may do more."""


def alive_layers() -> list[OctreeLayer]:
    """All octree layers that there are, in whatever viewers or none."""
    return list(_ALIVE)
