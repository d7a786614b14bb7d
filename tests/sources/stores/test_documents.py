"""Documents of stores that refuse."""

from __future__ import annotations

import pytest

from napari_octree.sources.stores.zarr_metadata.documents import NOBODY_HAS, Documents


class Refusing:
    """Has nothing, and says so by a refusal; `answers` come first, to who asks whether it does."""

    address, identity, is_far = "there", "there", False

    def __init__(self, *answers: Exception) -> None:
        self.answers = list(answers)

    def get(self, name: str) -> bytes | None:
        if name == NOBODY_HAS and self.answers:
            raise self.answers.pop(0)
        raise PermissionError(name)


def test_an_answer_that_did_not_come_is_no_answer() -> None:
    documents = Documents(Refusing(TimeoutError("too slow")), 3)  # type: ignore[arg-type]
    with pytest.raises(PermissionError):
        documents.attributes("A")
    assert documents.attributes("A") is None
    assert documents.attributes("B") is None
