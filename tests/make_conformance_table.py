"""Write the table of docs/ome-zarr.md: what opens, of the specification's own documents.

python tests/make_conformance_table.py
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ngff_documents import cases, opened
from page_tables import put_table

RESULTS = ("opens", "warns", "says what it is", "refused")


def table() -> str:
    """The table, as Markdown."""
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            outcome = opened(case, Path(folder, "a.zarr"))
            verdict = "invalid" if case.verdict == "invalid" else "valid"
            if outcome.error is not None:
                result = "refused" if verdict == "invalid" else "says what it is"
            else:
                result = "warns" if outcome.warnings else "opens"
            counts[case.version, verdict, case.kind][result] += 1
    lines = [
        "| version | documents | kind | opens | opens, with a warning | says what it is "
        "| refused, with the reason |",
        "|---|---|---|---|---|---|---|",
    ]
    for (version, verdict, kind), results in sorted(counts.items()):
        numbers = " | ".join(str(results[result] or "") for result in RESULTS)
        lines.append(f"| {version} | {verdict} | {kind} | {numbers} |")
    return "\n".join(lines)


def main() -> None:
    """Put the table into its page."""
    put_table("ome-zarr.md", "conformance", table())


if __name__ == "__main__":
    main()
