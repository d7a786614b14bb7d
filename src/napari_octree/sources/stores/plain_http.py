"""HTTP by fsspec, for servers that obstore refuses: those that do not say how long an answer is.

Invariants: no answer takes more memory than an object may have, and none is waited for for ever;
a server that sends the whole object where a part was asked for gives that part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from fsspec.implementations.http import HTTPFileSystem
from zarr.storage import FsspecStore

from napari_octree.sources.stores.body_size import check_body

LONGEST_S = 60.0
"""For one answer."""


def open_plain_http(address: str, options: Mapping[str, Any]) -> FsspecStore:
    """Open a store; nothing is fetched."""
    file_system = BoundedHTTP(asynchronous=True, **options)
    return FsspecStore(file_system, read_only=True, path=address.rstrip("/"))


class BoundedHTTP(HTTPFileSystem):  # type: ignore[misc]
    """Files by HTTP, fetched with a bound."""

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
