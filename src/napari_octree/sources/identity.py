"""Names for objects that are never given twice.

Invariants: an object has one token as long as it lives, and no other object of this process
ever has the same one (unlike `id`, which is used again). Objects are not kept alive. Any
thread may call.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref

_counter = itertools.count(1)
_tokens: dict[int, tuple[weakref.ref[object], int]] = {}
_lock = threading.RLock()  # a token may be freed while one is made: the collector runs anywhere


def fresh_token() -> int:
    """Return a number that this process has not used before."""
    return next(_counter)


def object_token(obj: object) -> int:
    """Return the token of `obj`; a fresh one each time if it cannot be weakly referenced."""
    with _lock:
        known = _tokens.get(id(obj))
        if known is not None and known[0]() is obj:
            return known[1]
        token = fresh_token()
        address = id(obj)

        def forget(reference: weakref.ref[object]) -> None:
            with _lock:
                if _tokens.get(address, (None,))[0] is reference:
                    del _tokens[address]

        with contextlib.suppress(TypeError):  # no weak reference: never shared, but never wrong
            _tokens[address] = (weakref.ref(obj, forget), token)
        return token
