"""HTTP by fsspec, for what obstore refuses: answers of unsaid length, and addresses with a query.

Invariants: no answer takes more memory than an object may have, and none is waited for for ever;
a server that sends the whole object where a part was asked for gives that part; errors hold no
signature.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import yarl
from fsspec.implementations.http import HTTPFileSystem
from zarr.storage import FsspecStore

from napari_octree.sources.stores.address import SAFE, shown
from napari_octree.sources.stores.body_size import check_body

LONGEST_S = 60.0
"""For one answer."""


def open_plain_http(address: str, options: Mapping[str, Any]) -> FsspecStore:
    """Open the file at an address, as a store of one nameless object; nothing is fetched."""
    file_system = BoundedHTTP(asynchronous=True, **options)
    return FsspecStore(file_system, read_only=True, path=address.rstrip("/"))


def open_http_folder(address: str, options: Mapping[str, Any]) -> FsspecStore:
    """Open the folder at an address; the query of the address goes with each name in it.

    Nothing is fetched. Signatures of folders (Azure's, CloudFront's) hold for all in them.
    """
    parts = urlsplit(address)
    folder = parts._replace(query="", fragment="").geturl().rstrip("/")
    file_system = BoundedHTTP(query=parts.query, asynchronous=True, **options)
    return FsspecStore(file_system, read_only=True, path=folder)


class AnswerError(OSError):
    """A server has answered with an error.

    Attributes
    ----------
    status : int
        Of HTTP.
    """

    def __init__(self, url: str, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason} ({shown(url)})")
        self.status = status


class BoundedHTTP(HTTPFileSystem):  # type: ignore[misc]
    """Files by HTTP, fetched with a bound.

    Parameters
    ----------
    query : str, optional
        Sent with every address.
    **options
        Of `HTTPFileSystem`.
    """

    def __init__(self, *args: Any, query: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self._query = query

    def encode_url(self, url: str) -> Any:
        """Return the address to ask; a query goes as it was given, since it may be signed."""
        if not self._query:
            return super().encode_url(url)
        return yarl.URL(f"{quote(url, safe=SAFE)}?{self._query}", encoded=True)

    async def set_session(self) -> aiohttp.ClientSession:
        """Return the session; it is closed with the file system, at the latest at exit."""
        is_new = self._session is None
        session: aiohttp.ClientSession = await super().set_session()
        if is_new:  # fsspec leaves those of asynchronous file systems to their users
            weakref.finalize(self, self.close_session, asyncio.get_running_loop(), session)
        return session

    def _raise_not_found_for_status(self, response: Any, url: str) -> None:
        if response.status == 404:
            raise FileNotFoundError(shown(url))
        if response.status >= 400:  # aiohttp's own error shows the whole address
            raise AnswerError(url, response.status, response.reason or "")

    async def _cat_file(
        self, url: str, start: int | None = None, end: int | None = None, **options: Any
    ) -> bytes:
        session = await self.set_session()
        headers = dict((self.kwargs or {}).get("headers") or {})
        if start is not None or end is not None:
            first = "" if start is None else max(start, 0)
            headers["Range"] = f"bytes={first}-{'' if end is None else end - 1}"
            if start is not None and start < 0:
                headers["Range"] = f"bytes={start}"
        timeout = aiohttp.ClientTimeout(total=LONGEST_S)
        async with session.get(self.encode_url(url), headers=headers, timeout=timeout) as answer:
            self._raise_not_found_for_status(answer, url)
            parts, size = [], 0
            async for part in answer.content.iter_chunked(2**18):
                size += len(part)
                check_body(url, size)
                parts.append(part)
            body = b"".join(parts)
            return body[start:end] if "Range" in headers and answer.status == 200 else body
