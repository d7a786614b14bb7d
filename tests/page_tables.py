"""Tables of pages in docs/ that a script makes: between two marks of the page."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def put_table(page: str, name: str, table: str) -> None:
    """Put a table, as Markdown, between the marks of its name in a page of docs/."""
    before, _, after = _parts(page, name)
    (DOCS / page).write_text(f"{before}\n{table}\n{after}", encoding="utf-8")


def shown_table(page: str, name: str) -> str:
    """Return what stands there now."""
    return _parts(page, name)[1].strip()


def _parts(page: str, name: str) -> tuple[str, str, str]:
    """What stands before, between and after the marks, which belong to what is around."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = (DOCS / page).read_text(encoding="utf-8")
    first, last = text.index(begin) + len(begin), text.index(end)
    return text[:first], text[first:last], text[last:]
