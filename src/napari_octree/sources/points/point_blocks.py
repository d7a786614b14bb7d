"""PointBlocks: points that are read block by block, to be indexed: arrays, tables, files.

Invariants: making one reads metadata only; blocks are numbered and can be read in any order, in
any thread, again and again: the same numbers give the same points.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from napari_octree.sources.errors import SourceError

BLOCK = 1_000_000
"""Points of a block, where the input has no blocks of its own."""

TABLES = (".parquet", ".pq", ".csv", ".tsv", ".txt")


class Block(NamedTuple):
    """Some points.

    Attributes
    ----------
    positions : (n, ndim) array
    values : {feature: (n,) array-like}
    """

    positions: np.ndarray
    values: Mapping[str, Any]


class PointBlocks(Protocol):
    """Points in blocks."""

    @property
    def name(self) -> str:
        """What a person calls them."""
        ...

    def __len__(self) -> int:
        """Return the number of blocks."""
        ...

    def read(self, block: int) -> Block:
        """Read a block (may block for long)."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayBlocks:
    """Columns of anything that can be sliced: numpy, zarr, dask, h5py.

    Attributes
    ----------
    name : str
    positions : (N, ndim) array, or a sequence of ndim (N,) arrays
    values : {feature: (N,) array}
    size : int
        Points of a block.
    """

    name: str
    positions: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    size: int = BLOCK

    @property
    def count(self) -> int:
        """Points in all."""
        first = self.positions[0] if isinstance(self.positions, list | tuple) else self.positions
        return int(first.shape[0])

    def __len__(self) -> int:
        return -(-self.count // self.size)

    def read(self, block: int) -> Block:
        """Slice the columns."""
        rows = slice(block * self.size, min((block + 1) * self.size, self.count))
        if isinstance(self.positions, list | tuple):
            positions = np.stack([_now(axis[rows]) for axis in self.positions], axis=1)
        else:
            positions = _now(self.positions[rows])
        values = {
            name: _now(getattr(column, "iloc", column)[rows])
            for name, column in self.values.items()
        }
        return Block(positions, values)


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


def blocks_of(
    source: Any,
    features: Any = None,
    axes: Sequence[str] | None = None,
) -> PointBlocks:
    """Take anything that holds points for blocks.

    Parameters
    ----------
    source : array-like, DataFrame, path, or sequence of (N,) arrays
        (N, ndim) positions in the order (…, z, y, x); the columns of each axis; a table, or
        the path of a parquet or CSV file, or of a folder of parquet files.
    features : mapping or DataFrame, optional
        Of arrays: (N,) columns. Of tables: the names of columns; default: all others.
    axes : sequence of str, optional
        Of tables: columns of positions, in the order (…, z, y, x). Default: of ``t z y x``
        those that there are.

    Raises
    ------
    SourceError
    """
    if isinstance(source, ArrayBlocks | ParquetBlocks | CsvBlocks):
        return source
    if isinstance(source, str | os.PathLike):
        return _file_blocks(Path(source).expanduser(), features, axes)
    if hasattr(source, "columns"):  # a table of pandas, or of dask that is computed block by block
        return _frame_blocks(source, features, axes)
    values = {} if features is None else {str(name): features[name] for name in features}
    kind = type(source).__name__
    if isinstance(source, list | tuple) and source and np.ndim(source[0]) == 1:
        return ArrayBlocks(kind, [*source], values)
    if not hasattr(source, "shape"):
        source = np.asarray(source)
    if len(source.shape) != 2:
        raise SourceError(f"{kind}: points are N × axes numbers, not {tuple(source.shape)}")
    return ArrayBlocks(kind, source, values)


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


def _now(array: Any) -> np.ndarray:
    """Return the numbers of a slice, whatever lazy thing it is."""
    computed = array.compute(scheduler="synchronous") if hasattr(array, "compute") else array
    kept: np.ndarray = computed if hasattr(computed, "cat") else np.asarray(computed)
    return kept


def _pyarrow(part: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"pyarrow.{part}".rstrip("."))
    except ImportError as error:
        raise SourceError(
            "to read parquet and CSV, pyarrow is needed: pip install 'napari-octree[points]'"
        ) from error


def _frame_blocks(table: Any, features: Any, axes: Sequence[str] | None) -> ArrayBlocks:
    names = [str(name) for name in table.columns]
    found, others = _chosen(type(table).__name__, names, features, axes)
    if hasattr(table, "npartitions"):
        table = table.compute()
    columns = [table[axis].to_numpy() for axis in found]
    return ArrayBlocks(type(table).__name__, columns, {name: table[name] for name in others})


def _file_blocks(path: Path, features: Any, axes: Sequence[str] | None) -> PointBlocks:
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise SourceError(f"{path}: there is no such file, or no parquet file in this folder")
    ending = files[0].suffix.lower()
    if ending not in TABLES:
        raise SourceError(f"{path}: points are read from {', '.join(TABLES)}, not from {ending!r}")
    if ending in (".parquet", ".pq"):
        return _parquet_blocks(str(path), files, features, axes)
    return _csv_blocks(path, features, axes)


def _parquet_blocks(
    name: str, files: Sequence[Path], features: Any, axes: Sequence[str] | None
) -> ParquetBlocks:
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
    return ParquetBlocks(name, tuple(groups), *_chosen(name, names, features, axes))


def _csv_blocks(path: Path, features: Any, axes: Sequence[str] | None) -> CsvBlocks:
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
    found, others = _chosen(str(path), header, features, axes)
    return CsvBlocks(str(path), tuple(spans), header, separator, found, others)


def _chosen(
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


ReadBlock = Callable[[int], Block]
