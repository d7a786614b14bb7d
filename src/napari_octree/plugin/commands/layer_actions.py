"""What menus and keys do with octree layers: tile grid, level colours, reload, level.

Invariants: GUI thread; nothing is read here. A manifest can neither grey an entry for layers of
our class nor show a check mark, so these entries are given to napari when the first octree
layer is made; before, there is nothing to which they apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app_model.expressions import parse_expression
from app_model.types import Action, MenuRule, ToggleRule
from napari.layers import Layer
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from napari.utils.notifications import show_info

from napari_octree.layers.base.octree_layer import OctreeLayer
from napari_octree.layers.base.octree_scalar_field import OctreeScalarField
from napari_octree.layers.menu_actions import (
    add_context_key,
    is_registered,
    register_actions,
    set_enablement,
)
from napari_octree.plugin.commands import conversions
from napari_octree.plugin.commands.current_viewer import (
    SelectedCount,
    selected_layers,
    with_viewer,
)

if TYPE_CHECKING:
    import napari.viewer

VISUALIZE = "napari/layers/visualize"
DATA = "napari/layers/data"
LAYER_TYPE = "napari/layers/layer_type"
COUNT = "num_selected_octree_layers"
"""How conditions of menu entries call the number of selected octree layers."""

CONVERT = "napari-octree.convert"
"""The command of the manifest that converts plain layers: there are others from now on."""

COUNTS: dict[str, Callable[[Layer], bool]] = {
    COUNT: conversions.is_octree,
    "num_selected_plain_layers": conversions.is_plain,
    "num_selected_octree_integers": conversions.can_be_labels,
    "num_selected_octree_labels": conversions.is_octree_labels,
}
"""Names of numbers of selected layers of a kind, for the conditions of menu entries."""


def toggle_grid(viewer: napari.viewer.Viewer) -> None:
    """Show the borders of tiles, or hide them if any are shown."""
    _switch(octree_layers(viewer), "show_grid")


def toggle_tint(viewer: napari.viewer.Viewer) -> None:
    """Colour tiles by level, or stop it if any are coloured."""
    _switch(octree_layers(viewer), "tint_levels")


def reload(viewer: napari.viewer.Viewer) -> None:
    """Read the selected layers and the other channels of their images again, also what failed."""
    for layer in with_channels(octree_layers(viewer), viewer.layers):
        layer.reload()


def show_finer_level(viewer: napari.viewer.Viewer) -> None:
    """Draw the selected layers one level finer than now, whatever the zoom."""
    for layer in octree_layers(viewer):
        step_level(layer, -1)


def show_coarser_level(viewer: napari.viewer.Viewer) -> None:
    """Draw the selected layers one level coarser than now, whatever the zoom."""
    for layer in octree_layers(viewer):
        step_level(layer, 1)


def choose_level_automatically(viewer: napari.viewer.Viewer) -> None:
    """Draw the level that suits the zoom again; if that is so, keep the level of now."""
    layers = octree_layers(viewer)
    lock = all(layer.locked_data_level is None for layer in layers)
    for layer in layers:
        layer.locked_data_level = layer.data_level if lock else None


def step_level(layer: OctreeScalarField, steps: int) -> None:
    """Lock the level that is so many steps coarser than the one that is drawn."""
    now = layer.data_level if layer.locked_data_level is None else layer.locked_data_level
    last = len(layer.level_shapes) - 1
    layer.locked_data_level = min(max(min(now, last) + steps, 0), last)


def octree_layers(viewer: napari.viewer.Viewer) -> list[OctreeScalarField]:
    """The selected octree layers; if none is selected, all; a note if there are none."""
    layers = [layer for layer in viewer.layers if isinstance(layer, OctreeScalarField)]
    if not layers:
        show_info("There is no octree layer.")
    return [layer for layer in layers if layer in viewer.layers.selection] or layers


def with_channels(
    layers: Sequence[OctreeScalarField], others: Sequence[Layer]
) -> list[OctreeScalarField]:
    """The layers, and those of `others` that show the same arrays or channels of one image."""
    groups = {layer.display.channel_group for layer in layers} - {None}
    arrays = {layer.level_source(0).storage.key for layer in layers}
    return [
        layer
        for layer in others
        if isinstance(layer, OctreeScalarField)
        and (
            layer in layers
            or layer.display.channel_group in groups
            or layer.level_source(0).storage.key in arrays
        )
    ]


def _switch(layers: Sequence[OctreeLayer], option: str) -> None:
    value = not any(getattr(layer.display, option) for layer in layers)
    for layer in layers:
        setattr(layer.display, option, value)


# ----------------------------------------------------------------------- menus


def _selected() -> list[OctreeScalarField]:
    return [layer for layer in selected_layers() if isinstance(layer, OctreeScalarField)]


def _is_on(option: str) -> Callable[[], bool]:
    return lambda: any(getattr(layer.display, option) for layer in _selected())


def _level_is_automatic() -> bool:
    layers = _selected()
    return bool(layers) and all(layer.locked_data_level is None for layer in layers)


def _later(name: str) -> Callable[[Any], None]:
    """A command of `export_commands`, imported when it is used: it brings what writes files."""

    def run(viewer: Any) -> None:
        from napari_octree.plugin.commands import export_commands

        getattr(export_commands, name)(viewer)

    run.__name__ = name
    return run


def open_linked_views(viewer: Any) -> Any:
    """Open xy, yz, xz and 3-D views of the selected layers, side by side."""
    from napari_octree.plugin.commands.linked import open_linked_views as open_views

    return open_views(viewer)


@dataclass(frozen=True)
class Entry:
    """An entry of a menu.

    Attributes
    ----------
    name, title : str
    command : callable
        Gets the viewer.
    menu : str
    key : str, optional
        While such a layer is active.
    checked : callable, optional
        Whether it has a check mark.
    count : str
        Of these layers at least one has to be selected: a name in `COUNTS`.
    """

    name: str
    title: str
    command: Callable[[Any], Any]
    menu: str = VISUALIZE
    key: str | None = None
    checked: Callable[[], bool] | None = None
    count: str = COUNT


ENTRIES = (
    Entry("toggle_grid", "Tile grid", toggle_grid, key="G", checked=_is_on("show_grid")),
    Entry(
        "toggle_tint",
        "Colour tiles by resolution level",
        toggle_tint,
        key="T",
        checked=_is_on("tint_levels"),
    ),
    Entry("finer_level", "Finer level", show_finer_level, key="Shift+F"),
    Entry("coarser_level", "Coarser level", show_coarser_level, key="Shift+C"),
    Entry(
        "automatic_level",
        "Choose the level automatically",
        choose_level_automatically,
        key="A",
        checked=_level_is_automatic,
    ),
    Entry("reload", "Reload", reload, key="R"),
    Entry("linked_views", "Linked xy, yz, xz and 3-D views", open_linked_views),
    Entry(
        "crop_to_layer",
        "Crop to new layer (drawn rectangle, or what is in view)",
        _later("crop_to_layer"),
        DATA,
    ),
    Entry(
        "pop_out_level",
        "Pop out the shown level as a plain layer",
        _later("pop_out_level"),
        DATA,
    ),
    Entry("export_layers", "Export selected octree layers…", _later("export_layers"), DATA),
    Entry(
        "convert_to_plain",
        "Convert octree layers to plain layers",
        conversions.convert_to_plain,
        LAYER_TYPE,
    ),
    Entry(
        "convert_to_labels",
        "Convert to OctreeLabels",
        conversions.convert_to_labels,
        LAYER_TYPE,
        count="num_selected_octree_integers",
    ),
    Entry(
        "convert_to_image",
        "Convert to OctreeImage",
        conversions.convert_to_image,
        LAYER_TYPE,
        count="num_selected_octree_labels",
    ),
)


def install() -> None:
    """Give napari the entries and the keys, unless it has them."""
    from napari_octree.plugin.commands import points_actions

    if is_registered(f"napari-octree.{ENTRIES[0].name}"):
        return
    points_actions.install()
    for name, counts in COUNTS.items():
        add_context_key(name, SelectedCount(counts))
    set_enablement(CONVERT, parse_expression("num_selected_plain_layers > 0"))
    register_actions(
        Action(
            id=f"napari-octree.{entry.name}",
            title=f"{entry.title} (Octree)",
            callback=with_viewer(entry.command),
            enablement=parse_expression(f"{entry.count} > 0"),
            toggled=None if entry.checked is None else ToggleRule(get_current=entry.checked),
            menus=[MenuRule(id=entry.menu, group="z_octree", order=order)],
        )
        for order, entry in enumerate(ENTRIES)
    )
    for entry in ENTRIES:
        if entry.key is not None:
            _bind(entry, entry.key)


def _bind(entry: Entry, key: str) -> None:
    """Bind a key; napari lists it under Preferences ▸ Shortcuts, where it can be changed."""

    def run(layer: Layer) -> None:
        with_viewer(entry.command)()

    run.__name__ = f"octree_{entry.name}"
    name = f"napari-octree:{entry.name}"
    action_manager.register_action(
        name=name,
        command=run,
        description=f"{entry.title} (octree layers)",
        keymapprovider=OctreeLayer,
    )
    if name not in get_settings().shortcuts.shortcuts:  # else the user has chosen a key
        action_manager.bind_shortcut(name, key)
