"""Who an array is: names for objects that are never given twice, and groups of arrays.

Invariants: an object has one token as long as it lives, and no other object of this process
ever has the same one (unlike `id`, which is used again). Objects are not kept alive. Any
thread may call.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import threading
import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

_counter = itertools.count(1)
_tokens: dict[int, tuple[weakref.ref[object], int]] = {}
_lock = threading.RLock()  # a token may be freed while one is made: the collector runs anywhere


NETWORK_SCHEMES = frozenset(
    {"http", "https", "ftp", "sftp", "ssh", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
    | {"adl", "oci", "oss", "hf", "hdfs", "webhdfs"}
)
"""Kinds of addresses on a network; they say where an array is (others, as "reference", do not)."""


@dataclass(frozen=True, slots=True)
class SourceGroup:
    """Arrays that are read from one place: the levels of one image, and what is made of them.

    They share what the loader learns of the place (latency, reads at once), a fair share of the
    cache, and the notice of failures.

    Attributes
    ----------
    identity : Hashable
        Equal for the arrays of a group, and for no others.
    name : str
        What a person calls it (a path, a URL, a class name); groups may have names in common.
    """

    identity: Hashable
    name: str = field(compare=False)


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


def digest(metadata: dict[str, Any]) -> str:
    """Return 16 characters for a JSON object."""
    text = json.dumps(metadata, default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
