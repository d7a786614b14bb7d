"""The specification's own documents: valid ones open, invalid ones are refused or warned of."""

import pytest

import make_conformance_table
from ngff_documents import CANNOT_CHANGE_THE_PICTURE, cases, opened
from page_tables import shown_table

CASES = {"/".join(case[:4]): case for case in cases()}
ABOUT_TRANSFORMATIONS = ("transformation", "unit")


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.verdict != "invalid"])
def test_valid_documents_open(tmp_path, name):
    case = CASES[name]
    outcome = opened(case, tmp_path / "a.zarr")
    if outcome.error is None:
        for text in outcome.warnings if case.verdict in ("valid", "strict-valid") else ():
            if case.kind not in ("plate", "well"):
                assert any(word in text for word in ABOUT_TRANSFORMATIONS), text
        return
    # What it is about is not there: it is said what it is.
    assert outcome.error.startswith(f"{tmp_path / 'a.zarr'}")
    assert not (case.kind == "image" and case.holds_images), outcome.error
    names = {"bf2raw": "plate", "ome": "bioformats2raw", "coordinate_systems": "zarr group"}
    assert names.get(case.kind, case.kind) in outcome.error


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.verdict == "invalid"])
def test_invalid_documents_are_refused_or_warned_of(tmp_path, name):
    outcome = opened(CASES[name], tmp_path / "a.zarr")
    if outcome.error is not None:
        assert outcome.error.startswith(f"{tmp_path / 'a.zarr'}")
    elif not any(flaw in name for flaw in CANNOT_CHANGE_THE_PICTURE):
        assert outcome.warnings, f"opened without a word, {outcome.images} images"


def test_the_table_of_the_documentation_is_up_to_date():
    assert shown_table("ome-zarr.md", "conformance") == make_conformance_table.table()
