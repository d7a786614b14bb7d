"""Tests of this room share a window."""

from typing import Any

import pytest


@pytest.fixture
def viewer(lent_viewer) -> Any:
    """The window that all tests of this room share."""
    return lent_viewer
