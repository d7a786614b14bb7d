"""What is to be done once an object has gone.

Invariants: the garbage collector may run a finalizer in any thread, in the midst of anything, also
while that very thread holds a lock. So nothing is done there but to start a thread, which
takes no lock, and the thread does it. Nothing is done at interpreter exit.
"""

from __future__ import annotations

import _thread
import weakref
from collections.abc import Callable
from typing import Any


def when_gone(owner: object, callback: Callable[..., Any], *arguments: Any) -> weakref.finalize:
    """Call `callback(*arguments)` in a thread of its own when `owner` has been collected.

    Returns
    -------
    weakref.finalize
        Its `detach` calls it off. Neither `callback` nor `arguments` may refer to `owner`.
    """
    finalizer = weakref.finalize(owner, _thread.start_new_thread, callback, arguments)
    finalizer.atexit = False
    return finalizer
