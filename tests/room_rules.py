"""Which room may import what, and a reader of source code that finds where a room does not comply.

The rules are those of docs/architecture.md. The reader looks at the source only (nothing is
imported), also inside functions and under `TYPE_CHECKING`: knowing a type is knowing the room.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "napari_octree"

KNOWN_ROOMS = {
    "octree": {"octree"},
    "sources": {"sources"},
    "loading": {"loading", "sources", "octree"},
    "layers": {"layers", "loading", "sources", "octree"},
    "rendering": {"rendering", "layers", "loading", "octree"},
    "qt": {"qt", "rendering", "layers", "loading", "octree"},
    "plugin": {"plugin", "qt", "rendering", "layers", "loading", "sources", "octree"},
    "config": set(),
}
"""Rooms that a room may import; `config` may be imported by every room."""

QT = ("qtpy", "superqt", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari.qt", "napari._qt")
GL = ("vispy", "OpenGL", "napari._vispy")
FORBIDDEN_LIBRARIES = {
    "octree": ("napari", *QT, *GL),
    "sources": ("napari", *QT, *GL),
    "loading": ("napari", *QT, *GL),
    "config": ("napari", *QT, *GL),
    "layers": (*QT, *GL),
}
ONLY_LIBRARIES = {"octree": {"numpy", PACKAGE} | sys.stdlib_module_names}

PRIVATE_OWNERS = ("napari", "vispy")
PRIVATE_NAMES_ALLOWED = {f"{PACKAGE}.layers._napari", f"{PACKAGE}.rendering._vispy"}


def violations(module: str, source: str, is_package: bool = False) -> list[str]:
    """Say what breaks the rules in the source of one module.

    Parameters
    ----------
    module : str
        Full dotted name, such as "napari_octree.octree.plan".
    source : str
    is_package : bool
        Whether it is an `__init__.py`: relative imports then start one step lower.

    Returns
    -------
    list of str
        One sentence each, with the line; empty if all is well.
    """
    tree = ast.parse(source)
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for line, name in sorted(set(_names_used(tree, package))):
        found += [f"{module}:{line}: {problem}" for problem in _problems(module, name)]
    return found


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """All modules of the package below `root` (its folder), with their files."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _problems(module: str, name: str) -> Iterator[str]:
    room = _room(module)
    library = name.partition(".")[0]
    if library == PACKAGE:
        other = _room(name)
        if other is not None and room in KNOWN_ROOMS:
            if other not in KNOWN_ROOMS[room] | {"config", room}:
                yield f"{room} may not know {other} ({name})"
            elif other != room and _is_private(name):
                yield f"{name} is private to {other}"
        return
    for forbidden in FORBIDDEN_LIBRARIES.get(room or "", ()):
        if _is_inside(name, forbidden):
            yield f"{room} may not import {forbidden} ({name})"
            break
    if room in ONLY_LIBRARIES and library not in ONLY_LIBRARIES[room]:
        yield f"{room} may not import {library}"
    if library in PRIVATE_OWNERS and _is_private(name) and module not in PRIVATE_NAMES_ALLOWED:
        yield f"private name {name} outside {' and '.join(sorted(PRIVATE_NAMES_ALLOWED))}"


def _room(module: str) -> str | None:
    """The room of a module of the package; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in KNOWN_ROOMS else None


def _is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _is_private(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def _names_used(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Full dotted names that are imported, or reached by attributes of what is imported."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
                first = alias.name.partition(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            origin = _absolute(node, package)
            for alias in node.names:
                full = f"{origin}.{alias.name}"
                yield node.lineno, full
                bound[alias.asname or alias.name] = full
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            chain = _attribute_chain(node)
            if chain and chain[0] in bound:
                yield node.lineno, ".".join([bound[chain[0]], *chain[1:]])


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _attribute_chain(node: ast.expr) -> list[str]:
    """`a.b.c` as its names; empty if it does not start at a plain name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []
