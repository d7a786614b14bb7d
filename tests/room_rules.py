"""What import-linter cannot say about imports, found in the source of a module.

The rules between packages, and which libraries a package may import at all, are the contracts in
pyproject.toml. Here: libraries that know only themselves and numpy, parts of libraries
(`napari.qt`), private names, also when they are reached by attributes of what was imported, and
imports by a string. Nothing is imported to find out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "napari_octree"

ONLY_LIBRARIES = {"octree": {"numpy", PACKAGE} | sys.stdlib_module_names}
"""All that the modules of a package may import."""

FORBIDDEN_PARTS = {"layers": ("napari.qt", "napari._qt", "napari._vispy")}
"""Parts of libraries that a package may not import, though the library."""

BY_NAME_ONLY = (PACKAGE, "napari", "vispy", "OpenGL", "qtpy", "superqt")
"""What must not be imported by a string, where import-linter does not see it."""

PRIVATE_OWNERS = ("napari", "vispy")
PRIVATE_NAMES_ALLOWED = (f"{PACKAGE}.layers._napari", f"{PACKAGE}.rendering._vispy")
"""Packages."""

KNOW_NAPARI = ("layers", "rendering", "qt", "plugin")
"""Packages that meet objects of napari and vispy: they touch no private attribute of others."""

NAMED_TUPLES = {"_replace", "_make", "_asdict", "_fields"}
"""Public in spite of their underscore."""


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
    if _top(module) in KNOW_NAPARI and not _may_be_private(module):
        for line, name in sorted(set(_private_attributes(tree))):
            found.append(f"{module}:{line}: {name} is private to somebody else")
    for line, name in sorted(set(_imported_by_a_string(tree))):
        if name.partition(".")[0] in BY_NAME_ONLY:
            found.append(f"{module}:{line}: {name} is imported by a string: use import")
    return found


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """All modules of the package below `root` (its folder), with their files."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def _problems(module: str, name: str) -> Iterator[str]:
    here = _top(module)
    library = name.partition(".")[0]
    if library == PACKAGE:
        if _top(name) != here and _is_private(name):
            yield f"{name} is private to {_top(name)}"
        return
    for part in FORBIDDEN_PARTS.get(here, ()):
        if _is_inside(name, part):
            yield f"{here} may not import {part} ({name})"
            break
    if here in ONLY_LIBRARIES and library not in ONLY_LIBRARIES[here]:
        yield f"{here} may not import {library}"
    if library in PRIVATE_OWNERS and _is_private(name) and not _may_be_private(module):
        yield f"private name {name} outside {' and '.join(PRIVATE_NAMES_ALLOWED)}"


def _may_be_private(module: str) -> bool:
    return any(_is_inside(module, package) for package in PRIVATE_NAMES_ALLOWED)


def _top(module: str) -> str:
    """The part of the package that a module belongs to: "octree", or "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


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
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            chain = _attribute_chain(node)
            if chain and chain[0] in bound:
                yield node.lineno, ".".join([bound[chain[0]], *chain[1:]])


def _private_attributes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Private attributes of anything that the module does not define itself.

    What is known of an object is its name only, so an attribute counts as the module's own if one
    of its classes has it. Those of `self` and `super()` are inherited: subclasses may.
    """
    own = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for part in ast.walk(target) if isinstance(target, ast.AST) else ():
                if isinstance(part, ast.Name):
                    own.add(part.id)
                elif isinstance(part, ast.Attribute) and _is_self(part.value):
                    own.add(part.attr)
    libraries = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not _is_private(node.attr):
            continue
        of_library = isinstance(node.value, ast.Name) and node.value.id in libraries
        if not (_is_self(node.value) or of_library or node.attr in own | NAMED_TUPLES):
            yield node.lineno, ast.unparse(node)


def _is_self(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _imported_by_a_string(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


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
