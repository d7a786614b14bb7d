"""Every private name of napari that the layer models need, in one place (read in napari 0.9.2).

Invariants: nothing in here reads pixels of the user's arrays. The slicing state below hands
napari an overview that is already in memory, wherever stock code would slice the data.
"""

from __future__ import annotations

import gc
import importlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NewType, Protocol

import napari.layers
import napari.types
import numpy as np
from app_model.expressions import Expr
from app_model.types import Action
from napari._app_model import get_app_model
from napari._app_model.context import create_context
from napari.components.histogram import HistogramModel
from napari.layers import Labels, Layer
from napari.layers._multiscale_data import MultiScaleData
from napari.layers._scalar_field._slice import (  # what Image._slice must be
    _ScalarFieldSliceResponse,
    _ScalarFieldView,
)
from napari.layers._scalar_field.scalar_field import ScalarFieldBase  # of Image and Labels
from napari.layers._source import Source, current_source
from napari.layers.base import _LayerSlicingState  # base of every layer's slicing
from napari.layers.base.base import apply_units_to_transform
from napari.layers.image._image_key_bindings import image_fun_to_mode
from napari.layers.labels._labels_key_bindings import labels_fun_to_mode
from napari.layers.utils.layer_utils import calc_data_range
from napari.settings import get_settings
from napari.utils import _xarray_utils
from napari.utils._dtype import get_dtype_limits, normalize_dtype
from napari.utils.action_manager import action_manager
from napari.utils.naming import ROOT_DIR, magic_name
from napari.utils.transforms import Affine
from npe2 import PluginManager

from napari_octree.layers.slices.slice_key import SliceKey

__all__ = [
    "LayerTypeName",
    "OctreeHistogram",
    "OctreeLevels",
    "OverviewSlicingState",
    "ScalarFieldBase",
    "Source",
    "add_context_key",
    "calc_data_range",
    "get_dtype_limits",
    "help_of_modes",
    "is_asked_by_action",
    "is_asked_by_new_label",
    "is_asked_by_tool",
    "is_asked_by_window",
    "is_registered",
    "labels_drag_modes",
    "normalize_dtype",
    "parent_of_new_layer",
    "register_actions",
    "register_layer_type",
    "register_visual",
    "set_enablement",
    "set_layer_source",
    "variable_name",
    "writer_that_asks",
    "xarray_only_if_imported",
]


class OctreeLevels(MultiScaleData):
    """napari's list of levels, but one that copying does not read.

    napari's Duplicate deep-copies `layer.data` in the GUI thread; levels are sources that
    nobody writes to, so both layers may look at the same ones.

    Parameters
    ----------
    levels : iterable of arrays
    config : OctreeConfig, optional
    level_transforms : sequence of LevelTransform, optional
        What a copy of the layer is to have too. napari's state of a layer is no place for them:
        its actions hand all of it to layers of their own.
    """

    def __init__(
        self, levels: Iterable[Any], config: Any = None, level_transforms: Any = None
    ) -> None:
        # Theirs asks for `size` and `ndim` too, which follow from the shape.
        self._data = list(levels)
        self.config = config
        self.level_transforms = level_transforms

    @property
    def size(self) -> int:
        """Pixels of the finest level."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """Axes of each level."""
        return len(self.shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> OctreeLevels:
        return self

    @property
    def _array(self) -> np.ndarray | None:
        """The only level, if it is in memory: nothing needs to be read."""
        alone = len(self._data) == 1 and isinstance(self._data[0], np.ndarray)
        return self._data[0] if alone else None

    def __getitem__(self, key: Any) -> Any:
        """A level; with a tuple the pixels of the only one, as plugins ask stock layers."""
        if isinstance(key, tuple) and self._array is not None:
            return self._array[key]
        return self._data[key]

    def __getattr__(self, name: str) -> Any:
        # What plugins ask of a stock layer's data: astype, max, mean and the like.
        array = self._array if "_data" in self.__dict__ and not name.startswith("_") else None
        if array is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(array, name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._array is not None:
            return np.asarray(self._array, dtype=dtype, copy=copy)
        raise TypeError(
            "an OctreeImage's data is not read as a whole: index one level, e.g. "
            "np.asarray(layer.data[-1])"
        )


class SlicedLayer(Protocol):
    """What the slicing below asks of a layer."""

    _data_to_world: Any

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        ...

    @property
    def _colour_axis(self) -> tuple[int, ...]: ...

    def _on_slice_moved(self) -> None: ...


class OverviewSlicingState(_LayerSlicingState):
    """Slicing without reading: the slice *is* the overview, once a worker has brought it.

    It offers no `_make_slice_request`, so napari treats it alike whether asynchronous slicing is
    on or off. `_slice` always has the rank of the current display, or napari's thumbnail and
    volume code raise.
    """

    layer: SlicedLayer
    _slice_input: Any

    def __init__(self, layer: SlicedLayer, data: Any, cache: bool) -> None:
        super().__init__(layer, data, cache=False)
        self._overview: np.ndarray | None = None
        self._overview_key: SliceKey | None = None
        self._known_key: tuple[Any, SliceKey | None] = (None, None)
        self._placed = 0
        self.awaited = False
        self._slice = self._response(self._blank())

    @property
    def rank(self) -> int:
        """Displayed axes of the slice (2-D data stay 2-D in a 3-D view)."""
        return min(self._slice_input.ndisplay, self.ndim)

    def _blank(self) -> np.ndarray:
        colour = self.layer._colour_axis
        return np.zeros((1,) * self.rank + colour, dtype=normalize_dtype(self.layer.dtype))

    def _response(self, image: np.ndarray) -> _ScalarFieldSliceResponse:
        # tile_to_data stays the identity: our picture is placed by its octree, and everything of
        # napari's that asks for it (hover, transform box) wants level-0 coordinates.
        # napari's thumbnails take no foreign byte order of half floats, and no long doubles.
        dtype = image.dtype.newbyteorder("=")
        image = image.astype(np.float64 if dtype.char == "g" else dtype, copy=False)
        view = _ScalarFieldView.from_view(image)
        return _ScalarFieldSliceResponse(
            image=view,
            thumbnail=view,
            tile_to_data=Affine(name="tile2data", linear_matrix=np.eye(self.ndim), ndim=self.ndim),
            slice_input=self._slice_input,
            request_id=0,
            empty=False,  # True would hide the node
        )

    @property
    def loaded(self) -> bool:
        """What napari's layer list asks for its loading sign.

        `_loaded`, which the status bar asks, stays True, or there would be no value to see.
        """
        return not self.awaited

    def overview_of(self, key: SliceKey) -> np.ndarray | None:
        """The overview if it is that of `key`: a former slice's stays until its own has come."""
        return self._overview if self._overview_key == key else None

    def show_overview(self, overview: np.ndarray, key: SliceKey) -> None:
        """Make `overview` (as displayed) of the slice `key` the slice."""
        self._overview, self._overview_key = overview, key
        self._slice = self._response(overview)

    def forget_overview(self) -> None:
        """Have nothing to show (new data)."""
        self._overview = None
        self._slice = self._response(self._blank())

    def _keep_rank(self) -> None:
        overview = self._overview
        fits = overview is not None and overview.ndim == self.rank + len(self.layer._colour_axis)
        self._slice = self._response(overview if fits and overview is not None else self._blank())

    def set_slice_input(self, slice_input: Any, force: bool) -> bool:
        changed = super().set_slice_input(slice_input, force)
        if changed:
            self._keep_rank()
        return bool(changed)

    @contextmanager
    def as_of(self, slice_input: Any) -> Iterator[None]:
        """Have napari's tools see the sliders and axes of another moment."""
        now, self._slice_input = self._slice_input, slice_input
        try:
            yield
        finally:
            self._slice_input = now

    def _set_view_slice(self) -> None:
        self._keep_rank()
        self.layer._on_slice_moved()

    def placed(self) -> None:
        """The layer's scale, units or any such thing has changed."""
        self._placed += 1

    def slice_key(self, version: int, shape: tuple[int, ...], projection: str) -> SliceKey | None:
        """The slice that napari's sliders name, or None where it lies outside the data."""
        # Asked for several times a frame: napari's `data_slice` takes a millisecond, and its
        # `_data_to_world` a tenth of one when the processor's caches are cold. They are replaced,
        # not altered, so that mostly nothing but identities has to be compared.
        # Sliders may be moved (in the main thread) while another thread asks: all that the key is
        # made of is taken once, and napari's `data_slice`, which looks again, is not asked.
        slice_input, units = self._slice_input, self._units
        causes = (slice_input, units, self._placed, version, shape, projection)
        known, key = self._known_key
        if causes != known:
            key = self._find_slice_key(slice_input, units, version, shape, projection)
            self._known_key = (causes, key)
        return key

    def _find_slice_key(
        self,
        slice_input: Any,
        units: Any,
        version: int,
        shape: tuple[int, ...],
        projection: str,
    ) -> SliceKey | None:
        ndisplay = min(slice_input.ndisplay, self.ndim)
        displayed = tuple(int(a) for a in slice_input.order[-ndisplay:])
        if ndisplay == self.ndim:
            return SliceKey(version, displayed, (None,) * ndisplay, projection)
        # As napari's `data_slice`.
        to_data = apply_units_to_transform(self.layer._data_to_world.inverse, units)
        extent = slice_input.data_slice(to_data)
        ranges: list[tuple[int, int] | None] = []
        for axis in range(self.ndim):
            if axis in displayed:
                ranges.append(None)
                continue
            left, right = extent.margin_left[axis], extent.margin_right[axis]
            if projection == "none":
                left = right = 0
            span = _pixel_range(extent.point[axis], left, right, shape[axis])
            if span is None:
                return None
            ranges.append(span)
        return SliceKey(version, displayed, tuple(ranges), projection)


def _pixel_range(point: float, left: float, right: float, length: int) -> tuple[int, int] | None:
    """The pixels of a slice along one axis of `length`, half-open; None: it lies outside.

    In napari 0.9 margins are negative where the axis runs backwards in the world. The pixels are
    then those of the same axis stored in reverse: napari's own have no defined answer there. 0.10
    exchanges the margins itself.
    """
    if left < 0 or right < 0:
        mirrored = _pixel_range(length - 1 - point, -left, -right, length)
        return None if mirrored is None else (length - mirrored[1], length - mirrored[0])
    # The same rounding as napari's thick slices: low and high are rounded, and an upper bound that
    # is exactly a pixel centre takes that pixel in.
    upper = point + right
    low, high = int(np.round(point - left)), int(np.round(upper))
    if high < 0 or low >= length:
        return None
    stop = high + 1 if np.isclose(high, upper) or high == low else high
    low = max(low, 0)
    return low, max(min(stop, length), low + 1)


class OctreeHistogram(HistogramModel):
    """napari's histogram, of the overview in both of its modes."""

    def _get_full_data(self) -> np.ndarray:
        return np.asarray(self._layer._slice.image.raw)

    @staticmethod
    def _has_chunks(data: Any) -> bool:
        return False


class LayerTypeName(str):
    """The name of a stock layer's type, which `Layer.create` takes for one of ours.

    A layer data tuple names one type, and napari asks it two things. Writers, menus and other
    plugins compare it with "image"; `Layer.create` and `ViewerModel`, which make layers, take it
    in lower case. So this is equal to the stock name, and its lower case is our class's name.

    Parameters
    ----------
    stock : str
        "image" or "labels".
    ours : str
        The name of our class, in lower case.
    """

    _ours: str

    def __new__(cls, stock: str, ours: str) -> LayerTypeName:
        name = super().__new__(cls, stock)
        name._ours = ours
        return name

    def lower(self) -> str:
        """The name under which our class is registered."""
        return self._ours

    def __reduce__(self) -> tuple[Any, ...]:
        return LayerTypeName, (str(self), self._ours)


def writer_that_asks() -> str | None:
    """The plugin whose writer is about to get the layer's data; None if no writer asks.

    Only here, before a file is made, can saving be refused: writers open the file first. napari
    asks the layers before it chooses the writer, so the same choice is made here.
    """
    frame: Any = sys._getframe(1)
    for _ in range(6):
        if frame is None:
            return None
        if frame.f_globals.get("__name__") == "napari.plugins._npe2":
            if frame.f_code.co_name == "write_layers":
                return _writer_of(frame.f_locals)
            if frame.f_code.co_name != "<listcomp>":
                return None
        frame = frame.f_back
    return None


def _writer_of(call: Mapping[str, Any]) -> str:
    """Which plugin's writer `write_layers` will call, by its arguments; "" for none."""
    writer = call.get("writer")
    if writer is None:
        types = [str(layer._type_string) for layer in call["layers"]]
        writer, _ = PluginManager.instance().get_writer(
            call["path"], types, call.get("plugin_name")
        )
    return "" if writer is None else str(writer.plugin_name)


def is_asked_by_action() -> bool:
    """Whether the caller's caller is one of napari's actions on layers (convert, merge, …).

    Not Duplicate, which deep-copies what it gets.
    """
    frame = sys._getframe(2)
    actions = ("napari.layers._layer_actions", "napari.layers.utils.stack_utils")
    asks = frame.f_globals.get("__name__") in actions
    return asks and frame.f_code.co_name != "_duplicate_layer"


def is_asked_by_new_label() -> bool:
    """Whether the caller's caller is napari's `new_label` (key M, and a button).

    It takes one more than the maximum of `layer.data`, if that is a numpy array.
    """
    asking = sys._getframe(2).f_globals.get("__name__")
    return bool(asking == "napari.layers.labels._labels_key_bindings")


def is_asked_by_window() -> bool:
    """Whether a reader runs as a path was dropped, or chosen in one of napari's dialogs.

    What is raised there goes to the window and to the terminal with its whole traceback, or brings
    up napari's dialog of readers.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "_qt_open":
            return bool(frame.f_globals.get("__name__") == "napari._qt.qt_viewer")
        frame = frame.f_back
    return False


def is_asked_by_tool() -> bool:
    """Whether the caller's caller is napari's `Labels`: its tools paint on what `data` returns."""
    asking = str(sys._getframe(2).f_globals.get("__name__"))
    return asking.startswith("napari.layers.labels")


@contextmanager
def xarray_only_if_imported() -> Iterator[None]:
    """Have napari make a layer without importing xarray to see whether its data come from it.

    It does so for every scalar field, and pandas comes with it: half a second in which the window
    stands still, and 70,000 more objects for the garbage collector. Data cannot be xarray's as
    long as nobody has imported that, which is all that is assumed, in whatever thread.
    """
    asked = getattr(_xarray_utils, "_check_xarray", None)
    if asked is None or "xarray" in sys.modules:
        yield
        return

    def check(data: Any) -> Any:
        return asked(data) if "xarray" in sys.modules else _xarray_utils._XarrayProps()

    _xarray_utils._check_xarray = check
    try:
        yield
    finally:
        _xarray_utils._check_xarray = asked


def help_of_modes(layer: Any) -> str:
    """What napari tells of the keys of a layer's other modes.

    It looks that up by the very class, and so finds nothing for a class derived from its own.
    """
    stock = labels_fun_to_mode if isinstance(layer, Labels) else image_fun_to_mode
    shortcuts = get_settings().shortcuts.shortcuts
    keys = {}
    for function, mode in stock:
        name = f"napari:{function.__name__}"
        if mode != layer.mode and shortcuts.get(name) and name in action_manager._actions:
            keys[shortcuts[name][0]] = action_manager._actions[name].description.lower()
    return ", ".join(f"use <{key}> for {what}" for key, what in keys.items())


def set_layer_source(layer: Any, path: str, reader_plugin: str) -> None:
    """Write napari's record of where a layer came from, which has no public setter."""
    layer._source = Source(path=path, reader_plugin=reader_plugin)


def add_context_key(name: str, value: Callable[[], Any]) -> None:
    """Let the conditions of menu entries name a value, asked for when a menu is opened.

    Contexts of windows and layer lists have one common root, where it is put.
    """
    context: Any = create_context(value)
    while len(context.maps) > 1 and hasattr(context.maps[1], "maps"):
        context = context.maps[1]
    context[name] = value


def is_registered(action_id: str) -> bool:
    """Whether napari knows a command."""
    return action_id in get_app_model().registered_actions


def register_actions(actions: Iterable[Action]) -> None:
    """Add menu entries and commands to napari."""
    app = get_app_model()
    for action in actions:
        app.register_action(action)


def set_enablement(action_id: str, condition: Expr) -> None:
    """Have the menu entries of a command that a manifest has made greyed by another condition.

    A manifest can only name napari's own keys, and conditions are frozen: so entries are replaced,
    in place. Nothing happens where napari does not know the command.
    """
    menus = get_app_model().menus
    changed = set()
    for menu_id, items in menus:
        replaced: dict[Any, None] = {}
        for item in items:
            if getattr(getattr(item, "command", None), "id", None) == action_id:
                command = item.command.model_copy(update={"enablement": condition})
                item = item.model_copy(update={"command": command})
                changed.add(menu_id)
            replaced[item] = None
        if menu_id in changed:
            menus._menu_items[menu_id] = replaced
    if changed:
        menus.menus_changed.emit(changed)


def parent_of_new_layer() -> Any:
    """The layer of which napari is making a copy, or None."""
    parent = current_source().parent
    return parent() if callable(parent) else None


def variable_name(value: Any) -> str | None:
    """The name of the caller's variable that holds `value`, as napari names its layers."""
    ours = str(Path(__file__).parents[1])
    return magic_name(value, path_prefix=(ours, ROOT_DIR))  # handed on to str.startswith


def labels_drag_modes(**ours: Callable[[Any, Any], Any]) -> dict[Any, Callable[[Any, Any], Any]]:
    """What dragging does in each mode of a labels layer, with some replaced by mode name."""
    named = {Labels._modeclass(mode): drag for mode, drag in ours.items()}
    return {**Labels._drag_modes, **named}


def register_layer_type(cls: type[Layer]) -> None:
    """Let LayerData tuples (samples, Duplicate) name `cls` by its lower-case name."""
    name = cls.__name__
    napari.layers.NAMES.add(name.lower())
    setattr(napari.layers, name.title(), cls)
    # napari's thread workers expect a data type per name.
    setattr(napari.types, f"{name.title()}Data", NewType(f"{name.title()}Data", object))


def register_add_method(viewer_model: type, name: str, add: Callable[..., Any]) -> None:
    """Give `ViewerModel` the `add_…` method that LayerData tuples of a type look for."""
    if not hasattr(viewer_model, name):
        setattr(viewer_model, name, add)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Import without Python's garbage collector: nothing becomes garbage, but it would look."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def register_visual(
    modules: Iterable[str] = (
        "napari_octree.rendering.register",
        "napari_octree.plugin.commands.layer_actions",
    ),
) -> bool:
    """Have `napari_octree.rendering` tell napari how the layer is drawn, where there is Qt.

    The layer is found by its name only: models know no drawing, and must import without Qt.

    Returns
    -------
    bool
        False where no Qt binding is installed: the layer then works as a model only.
    """
    try:
        with _no_collections():
            for module in modules:
                importlib.import_module(module).install()
    except ImportError as error:  # qtpy raises a subclass where it finds no binding
        if "napari_octree" in str(getattr(error, "name", "") or ""):
            raise
        return False
    return True
