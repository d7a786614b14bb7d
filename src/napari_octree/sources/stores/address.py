"""Addresses of stores: what is local, what is secret, and how they read in messages.

Invariants: pure functions; what `shown` returns holds no password, key or signature.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import url2pathname

_SECRET_PARAMETERS = re.compile(
    r"sig|token|secret|password|passwd|pwd|credential|accesskey|access_key|apikey|api_key|^key$"
    r"|^(?:x-amz-.*|x-goog-.*|awsaccesskeyid|policy|key-pair-id|auth)$",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(//|:)")
"""How addresses begin; one letter is a drive of Windows."""
_SERVER = re.compile(r"https?://[^/]", re.IGNORECASE)
_SLASHES = re.compile(r"/{2,}")
_DOCUMENT = re.compile(r"/(zarr\.json|\.z(group|array|attrs|metadata))/?$")
SAFE = "/:@!$&'()*+,;=~-._%[]?#"
"""Characters of an address that stay as they are."""


def is_url(where: str) -> bool:
    """Whether this is an address (``https://…``, ``s3://…``) and not a local path."""
    return _SCHEME.match(where) is not None


def local_path(where: str | os.PathLike[str]) -> Path | None:
    """Return the path of a local file or folder, or None for an address on a network.

    ``file://`` addresses are percent-decoded, ``~`` is the home folder.
    """
    text = os.fspath(where)
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        if "::" in text or parts.netloc not in ("", "localhost"):
            return None
        return Path(url2pathname(parts.path)).expanduser()
    return None if is_url(text) else Path(text).expanduser()


def as_typed(where: str) -> str:
    """Return a path or address without blanks and quotes around it, which copying has added.

    A file or folder whose name has them is taken for itself. Of an address on a server, the name
    of a zarr document at its end and doubled slashes are left out as well.
    """
    text = where.strip()
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if _SERVER.match(text) is not None:
        start, colon, path = text.partition("://")
        path, mark, query = path.partition("?")
        path = _DOCUMENT.sub("", _SLASHES.sub("/", path))
        return f"{start}{colon}{path}{mark}{query}"
    return where if not text or os.path.exists(where) else text


def as_path(where: str) -> str:
    """Return the path that a ``file://`` address of this machine means; all else as it is."""
    if not where.lower().startswith("file:"):
        return where
    try:
        path = local_path(where)
    except (OSError, ValueError, RuntimeError):  # told by whoever opens it
        return where
    return where if path is None else str(path)


def shown(where: str) -> str:
    """Return an address as it may be seen by anybody: without passwords and signatures."""
    if not is_url(where):
        return where
    try:
        parts = urlsplit(where)
    except ValueError:  # no address at all, as http://[
        return where.partition("://")[0] + "://…"
    host = (
        parts.netloc.rpartition("@")[2]
        if parts.scheme not in ("az", "abfs", "abfss")
        else (parts.netloc)
    )
    query = urlencode(
        [
            (name, value)
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
            if not _SECRET_PARAMETERS.search(name)
        ]
    )
    return urlunsplit((parts.scheme, host, parts.path, query, parts.fragment))


def as_address(where: str) -> str:
    """Return `shown` with blanks and other letters percent-encoded: the name of a far source."""
    return quote(shown(where), safe=SAFE) if is_url(where) else where


def secrets_of(where: str) -> tuple[str, ...]:
    """Return the texts of an address that nobody may see, longest first."""
    if not is_url(where):
        return ()
    try:
        parts = urlsplit(where)
    except ValueError:
        return ()
    found = [
        value
        for name, value in parse_qsl(parts.query)
        if _SECRET_PARAMETERS.search(name) and value
    ]
    if parts.password:
        found += [parts.password, unquote(parts.password)]
        found.append(parts.netloc.rpartition("@")[0])
    found += [quote(value, safe="") for value in found]
    return tuple(sorted(set(found), key=len, reverse=True))


def secrets_in(where: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what nobody may see of an address and of the options with which it is opened."""
    texts = [
        value
        for name, value in _flat(options)
        if isinstance(value, str) and len(value) > 3 and name not in _HARMLESS
    ]
    texts += [
        part.partition("=")[2]  # of a connection string of Azure
        for text in texts
        for part in text.split(";")
        if part.startswith(("AccountKey=", "SharedAccessSignature="))
    ]
    return tuple(sorted({*secrets_of(where), *texts}, key=len, reverse=True))


_HARMLESS = frozenset({"endpoint_url", "profile", "region", "region_name", "account_name"})


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value


def without_secrets(text: str, secrets: tuple[str, ...]) -> str:
    """Return a message with every secret replaced by stars."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
