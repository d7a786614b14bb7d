"""napari's own test modules, run on our layer classes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def copy_of(path: Path, reworded: Mapping[str, str], **ours: type) -> ModuleType:
    """A test module of napari's with other words, and our classes in place of those it names."""
    source = path.read_text(encoding="utf-8")
    for theirs, word in reworded.items():
        source = source.replace(theirs, word)
    module = ModuleType(path.stem)
    sys.modules[path.stem] = module  # dataclasses look for it
    exec(compile(source, str(path), "exec"), module.__dict__)
    for name, cls in ours.items():
        if hasattr(module, name):
            setattr(module, name, cls)
    return module


def expect_failure(function: Any, reason: str, applies: set[int]) -> None:
    """Have all cases of a test fail but those of some numbers."""
    fails = pytest.mark.xfail(strict=True, reason=reason)
    if not applies:
        fails(function)
        return
    mark, *others = function.pytestmark
    names, cases = mark.args
    marked = [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=() if number in applies else fails,
        )
        for number, case in enumerate(cases)
    ]
    function.pytestmark = [pytest.mark.parametrize(names, marked).mark, *others]
