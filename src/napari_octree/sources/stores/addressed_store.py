"""zarr's store around one of obstore's, which knows its address.

Invariants: obstore is imported here and in functions only: it comes with the extra [remote].
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zarr.storage import ObjectStore

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

    def __str__(self) -> str:
        return self.address

    def __repr__(self) -> str:
        return f"AddressedStore({self.address!r})"

    def __reduce__(self) -> Any:
        return open_addressed, (self.address, self._settings)

    def with_read_only(self, read_only: bool = False) -> Any:
        """Return itself: nothing is ever written here."""
        return self


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
