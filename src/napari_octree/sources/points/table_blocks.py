"""Blocks of tables: parquet by row groups, text by lines (pyarrow reads both), dask by partitions.

Invariants: those of `PointBlocks`; pyarrow is imported in functions only: it comes with the extra
[points].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_octree.sources.errors import SourceError
from napari_octree.sources.points.point_blocks import BLOCK, Block

TABLES = (".parquet", ".pq", ".csv", ".tsv", ".txt")


@dataclass(frozen=True, eq=False)
class ParquetBlocks:
    """The row groups of a parquet file or of a folder of them (as SpatialData stores points).

    Attributes
    ----------
    name : str
    groups : tuple of (str, int)
        Path and number of each row group.
    axes : tuple of str
        Columns of positions.
    features : tuple of str
    """

    name: str
    groups: tuple[tuple[str, int], ...]
    axes: tuple[str, ...]
    features: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.groups)

    def read(self, block: int) -> Block:
        """Read a row group."""
        parquet = _pyarrow("parquet")
        path, group = self.groups[block]
        with parquet.ParquetFile(path) as file:
            table = file.read_row_group(group, columns=[*self.axes, *self.features])
        return block_of_table(table, self.axes, self.features)


@dataclass(frozen=True, eq=False)
class PartitionBlocks:
    """The partitions of a table of dask, as SpatialData has them.

    Attributes
    ----------
    name : str
    table : dask.dataframe.DataFrame
    axes, features : tuple of str
    """

    name: str
    table: Any
    axes: tuple[str, ...]
    features: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.table.npartitions)

    def read(self, block: int) -> Block:
        """Compute a partition."""
        columns = [*self.axes, *self.features]
        part = self.table.get_partition(block)[columns].compute(scheduler="synchronous")
        positions = np.stack([part[axis].to_numpy() for axis in self.axes], axis=1)
        return Block(positions, {name: part[name] for name in self.features})


@dataclass(frozen=True, eq=False)
class CsvBlocks:
    """A text file of columns, in blocks of bytes that end with a line.

    Attributes
    ----------
    name : str
    spans : tuple of (int, int)
        The first and last byte of each block.
    header : tuple of str
    separator : str
    axes, features : tuple of str
    """

    name: str
    spans: tuple[tuple[int, int], ...]
    header: tuple[str, ...]
    separator: str
    axes: tuple[str, ...]
    features: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.spans)

    def read(self, block: int) -> Block:
        """Parse the lines of a block."""
        csv, arrow = _pyarrow("csv"), _pyarrow("")
        start, stop = self.spans[block]
        with open(self.name, "rb") as file:
            file.seek(start)
            text = file.read(stop - start)
        table = csv.read_csv(
            arrow.BufferReader(text),
            read_options=csv.ReadOptions(column_names=list(self.header), use_threads=False),
            parse_options=csv.ParseOptions(delimiter=self.separator),
            convert_options=csv.ConvertOptions(
                include_columns=[*self.axes, *self.features],
                column_types=dict.fromkeys(self.axes, arrow.float64()),
            ),
        )
        return block_of_table(table, self.axes, self.features)


def block_of_table(table: Any, axes: Sequence[str], features: Sequence[str]) -> Block:
    """Return a block of a pyarrow table."""
    positions = np.stack([np.asarray(table[axis], np.float64) for axis in axes], axis=1)
    narrow = all(str(table[axis].type) in ("float", "halffloat") for axis in axes)
    if narrow:
        positions = positions.astype(np.float32)
    return Block(positions, {name: _column(table[name]) for name in features})


def _column(column: Any) -> Any:
    kind = str(column.type)
    if kind.startswith("dictionary"):
        return np.asarray(column.combine_chunks().dictionary_decode(), object)
    if "string" in kind or kind == "bool":
        return np.asarray(column, object)
    return np.asarray(column)


def _pyarrow(part: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"pyarrow.{part}".rstrip("."))
    except ImportError as error:
        raise SourceError(
            "to read parquet and CSV, pyarrow is needed: pip install 'napari-octree[points]'"
        ) from error


def parquet_blocks(
    name: str, files: Sequence[Path], features: Any, axes: Sequence[str] | None
) -> ParquetBlocks:
    """Find the row groups of files."""
    parquet = _pyarrow("parquet")
    groups: list[tuple[str, int]] = []
    names: list[str] = []
    for file in files:
        try:
            with parquet.ParquetFile(file) as opened:
                names = names or list(opened.schema_arrow.names)
                groups += [(str(file), group) for group in range(opened.num_row_groups)]
        except Exception as error:  # pyarrow's own kinds
            raise SourceError(f"{file}: cannot be read as parquet: {error}") from error
    return ParquetBlocks(name, tuple(groups), *chosen_columns(name, names, features, axes))


def csv_blocks(path: Path, features: Any, axes: Sequence[str] | None) -> CsvBlocks:
    """Find the columns and the blocks of a text file."""
    with path.open("rb") as file:
        line = file.readline()
        text = line.decode("utf-8-sig").strip("\r\n")
        separator = max(",;\t ", key=text.count) if text else ","
        header = tuple(part.strip().strip('"') for part in text.split(separator))
        size = path.stat().st_size
        spans, start = [], len(line)
        while start < size:
            file.seek(min(start + 64 * BLOCK, size))
            file.readline()
            stop = min(file.tell(), size)
            spans.append((start, stop))
            start = stop
    found, others = chosen_columns(str(path), header, features, axes)
    return CsvBlocks(str(path), tuple(spans), header, separator, found, others)


def chosen_columns(
    name: str, names: Sequence[str], features: Any, axes: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of positions and of features."""
    found = tuple(axes) if axes else tuple(axis for axis in "tzyx" if axis in names)
    missing = [axis for axis in found if axis not in names]
    if len(found) < 1 or missing:
        raise SourceError(
            f"{name}: there is no column {missing[0]!r}; the columns are {', '.join(names)}"
            if missing
            else f"{name}: name the columns of positions; the columns are {', '.join(names)}"
        )
    others = [n for n in names if n not in found] if features is None else [*features]
    unknown = [n for n in others if n not in names]
    if unknown:
        raise SourceError(f"{name}: there is no column {unknown[0]!r}")
    return found, tuple(others)
