"""zarr's store around one of obstore's, which knows its address.

Invariants: obstore is imported here and in functions only: it comes with the extra [remote].
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest
from zarr.storage import ObjectStore

from napari_octree.sources.stores.body_size import LARGEST_BODY, check_body
from napari_octree.sources.stores.credentials import ObstoreSettings

if TYPE_CHECKING:
    _Base = ObjectStore[Any]
else:
    _Base = ObjectStore  # which was no generic class before zarr 3.1

RETRIES: Any = {"max_retries": 1, "retry_timeout": timedelta(seconds=20)}
"""Few, as the loader has patience of its own and says what it waits for."""


class AddressedStore(_Base):
    """A store of objects at an address."""

    def __init__(self, store: Any, address: str, settings: ObstoreSettings) -> None:
        super().__init__(store, read_only=True)
        self.address = address
        self._settings = settings

    @property
    def identity(self) -> Hashable:
        """Equal for two stores of the same objects: buckets of two servers may share a name."""
        place = self._settings.place
        return (self.address, place) if place else self.address

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Fetch an object, or a part of it, also from servers that send whole objects only."""
        import obstore

        if byte_range is not None:
            try:
                return await super().get(key, prototype, byte_range)
            except (obstore.exceptions.BaseError, OverflowError) as error:
                if not _serves_no_ranges(error):
                    raise
            whole = await self.get(key, prototype)
            return None if whole is None else _cut(whole, byte_range)
        try:
            result = await obstore.get_async(self.store, key)
            check_body(key, result.meta["size"])
            data = unpacked_body(await result.bytes_async(), result.attributes)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return prototype.buffer.from_bytes(data)

    def __str__(self) -> str:
        return self.address

    def __repr__(self) -> str:
        return f"AddressedStore({self.address!r})"

    def __reduce__(self) -> Any:
        return open_addressed, (self.address, self._settings)

    def with_read_only(self, read_only: bool = False) -> Any:
        """Return itself: nothing is ever written here."""
        return self


def unpacked_body(data: Any, attributes: Any) -> Any:
    """Return an object's bytes; some servers compress on the way without having been asked."""
    if str(attributes.get("Content-Encoding", "")).lower() not in ("gzip", "deflate"):
        return data
    try:
        return zlib.decompressobj(47).decompress(bytes(data), LARGEST_BODY)
    except zlib.error:
        return data  # it is not what the header says


def _serves_no_ranges(error: BaseException) -> bool:
    import obstore

    # zarr counts back from the end then, which may be before the beginning.
    refused = isinstance(error, obstore.exceptions.NotSupportedError | OverflowError)
    return refused or "Range Not Satisfiable" in str(error)


def _cut(whole: Any, byte_range: Any) -> Any:
    """Return the part of a buffer that a request of zarr names."""
    if isinstance(byte_range, RangeByteRequest):
        return whole[byte_range.start : byte_range.end]
    if isinstance(byte_range, OffsetByteRequest):
        return whole[byte_range.offset :]
    return whole[max(len(whole) - byte_range.suffix, 0) :]


def open_addressed(address: str, settings: ObstoreSettings) -> AddressedStore:
    """Open a store; nothing is fetched."""
    from obstore.store import from_url

    store = from_url(
        settings.url,
        config=settings.config or None,
        client_options=settings.client_options or None,
        retry_config=RETRIES,
        **settings.credential_provider(),
    )
    return AddressedStore(store, address, settings)
