"""Menu entries, commands and the keys of their conditions (napari 0.9.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app_model.expressions import Expr
from app_model.types import Action
from napari._app_model import get_app_model
from napari._app_model.context import create_context


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
