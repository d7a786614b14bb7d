"""Opening what a store refuses: asking for credentials, where somebody is there to be asked.

Invariants: credentials are in memory only, and only for the session if the user says so; they are
in no name, message, log or key. Without a window that is shown nobody is asked.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from napari_octree.plugin.opening.waiting import open_and_wait
from napari_octree.sources.errors import AccessRefusedError
from napari_octree.sources.stores.address import shown

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

T = TypeVar("T")

FIELDS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "http": (
        ("user", "User", False),
        ("password", "Password", True),
        ("bearer", "or a token", True),
    ),
    "s3": (
        ("key", "Access key ID", False),
        ("secret", "Secret access key", True),
        ("token", "Session token, if any", True),
    ),
    "gs": (("token", "File of a service account's key", False),),
    "az": (
        ("account_name", "Account", False),
        ("account_key", "Account key", True),
        ("sas_token", "or a SAS token", True),
    ),
}
"""Of each kind of store: name of the option, what it is called, whether it is hidden."""
KINDS = {"https": "http", "s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
MOST_TRIES = 3

_SESSION: dict[str, dict[str, Any]] = {}
"""Options by server, of those that are to be kept until napari is closed."""


def open_with_access(path: str, read: Callable[..., T]) -> T:
    """Return `read(**storage_options)`, run in a thread; credentials are asked for if need be.

    Parameters
    ----------
    path : str
        Path or address.
    read : callable
        Takes storage options as fsspec has them.

    Raises
    ------
    AccessRefusedError
        Access is refused, and nobody can be asked or nothing was answered.
    Cancelled
    """
    options = _SESSION.get(_server(path), {})
    for attempt in range(MOST_TRIES + 1):
        try:
            return open_and_wait(shown(path), lambda options=options: read(**options))  # type: ignore[misc]
        except AccessRefusedError:
            asked = _ask(path) if attempt < MOST_TRIES else None
            if asked is None:
                raise
            options, keep = asked
            if keep:
                _SESSION[_server(path)] = options
    raise AssertionError("the last attempt raises")


def _ask(path: str) -> tuple[dict[str, Any], bool] | None:
    kind = _kind(path)
    window = _shown_window()
    if kind not in FIELDS or window is None:
        return None
    from napari_octree.qt import credentials_dialog

    questions = [credentials_dialog.Question(*field) for field in FIELDS[kind]]
    answer = credentials_dialog.ask_credentials(window, shown(path), questions)
    if answer is None or not answer[0]:
        return None
    return storage_options(kind, answer[0]), answer[1]


def storage_options(kind: str, answers: dict[str, str]) -> dict[str, Any]:
    """Return answers as fsspec takes them."""
    if kind != "http":
        return dict(answers)
    if "bearer" in answers:
        return {"headers": {"Authorization": f"Bearer {answers['bearer']}"}}
    user = f"{answers.get('user', '')}:{answers.get('password', '')}"
    return {"headers": {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}}


def _kind(path: str) -> str:
    scheme = path.partition("://")[0].lower() if "://" in path else ""
    return KINDS.get(scheme, scheme)


def _server(path: str) -> str:
    try:
        parts = urlsplit(path)
    except ValueError:
        return path
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _shown_window() -> QWidget | None:
    """A window of napari's that somebody sees, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return None
    try:
        from qtpy.QtWidgets import QApplication, QMainWindow
    except ImportError:
        return None
    if QApplication.instance() is None:
        return None
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    return next((window for window in windows if window.isVisible()), None)
