"""What can be configured, and where a configuration comes from.

Invariants: a configuration is immutable and complete (every key has a value); the same keys
serve in code, in a JSON file and in napari's preferences; a key that does not exist is an
error which names the nearest one that does. This module imports neither napari nor Qt.

The keys `loader_defaults` and `octree` are those of napari's former octree configuration
file, so that old files keep working.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

ENVIRONMENT_VARIABLE = "NAPARI_OCTREE"

MEBIBYTE = 2**20


def default_ram_bytes() -> int:
    """Return a tenth of the machine's memory, at least 256 MiB."""
    return max(256 * MEBIBYTE, psutil.virtual_memory().total // 10)


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the file and the key."""


def _own_keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.validation_alias, AliasChoices):
            yield from (str(choice) for choice in field.validation_alias.choices)


def _all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key below `model`, as dotted paths."""
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _all_keys(field.annotation, f"{prefix}{name}.")


def _describe_unknown(key: str, model: type[BaseModel]) -> str:
    """Name the nearest key: of this section, else of the whole configuration."""
    near = difflib.get_close_matches(key, list(_own_keys(model)), n=1)
    if not near:
        everywhere = {path.rpartition(".")[2]: path for path in _all_keys(OctreeConfig)}
        near = [everywhere[k] for k in difflib.get_close_matches(key, everywhere, n=1)]
    if near:
        return f"unknown key {key!r}; did you mean {near[0]!r}?"
    return f"unknown key {key!r}; the keys here are {', '.join(model.model_fields)}"


def _problems(error: ValidationError, origin: str) -> Iterator[str]:
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        given = "" if problem["type"] == "value_error" else f" (it is {problem['input']!r:.60})"
        yield f"{origin}: {where + ': ' if where else ''}{message}{given}"


class _Section(BaseModel):
    """Base of all sections: immutable, and strict about the names of keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            known = set(_own_keys(cls))
            unknown = [str(key) for key in values if key not in known]
            if unknown:
                raise ValueError("; ".join(_describe_unknown(key, cls) for key in unknown))
        return values


class LoaderConfig(_Section):
    """How chunks of one range of levels are loaded; what is None is as in `loader_defaults`.

    Attributes
    ----------
    num_workers : int or None
        Reads that may run at once.
    delay_queue_ms : float or None
        How long a request waits before it is started while the view moves fast, so that what
        the user only passes by is never read.
    auto_sync_ms : float or None
        A source whose measured loads are faster than this is read without the delay.
        `auto_async_ms` is accepted as another name.
    """

    num_workers: int | None = Field(default=None, ge=1, le=1024)
    delay_queue_ms: float | None = Field(default=None, ge=0)
    auto_sync_ms: float | None = Field(
        default=None, ge=0, validation_alias=AliasChoices("auto_sync_ms", "auto_async_ms")
    )


class LoaderDefaults(_Section):
    """How chunks are loaded, unless `octree.loaders` says otherwise for their level.

    Attributes
    ----------
    log_path : Path or None
        Where loads are logged; None for nowhere.
    force_synchronous : bool
        Read in the thread that asks, at once and without workers: for scripts and for finding
        faults. In a window it blocks; the promise that nothing is read in the GUI thread is
        given up for as long as it is on.
    num_workers : int
        Reads that may run at once.
    use_processes : bool
        Short for `executor="processes"`.
    auto_sync_ms : float
        A source whose measured loads are faster than this is read without the delay.
        `auto_async_ms` is accepted as another name.
    delay_queue_ms : float
        How long a request waits before it is started while the view moves fast.
    executor : {"threads", "processes", "dask"}
        Who reads; "dask" is the active `distributed.Client`.
    """

    log_path: Path | None = None
    force_synchronous: bool = False
    num_workers: int = Field(default=16, ge=1, le=1024)
    use_processes: bool = Field(default=False, strict=True)
    auto_sync_ms: float = Field(
        default=30.0, ge=0, validation_alias=AliasChoices("auto_sync_ms", "auto_async_ms")
    )
    delay_queue_ms: float = Field(default=100.0, ge=0)
    executor: Literal["threads", "processes", "dask"] = "threads"

    @model_validator(mode="before")
    @classmethod
    def _apply_use_processes(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("use_processes") is True:
            executor = values.get("executor", "processes")
            if executor != "processes":
                raise ValueError(f"use_processes is true, but executor is {executor!r}")
            return {**values, "executor": "processes"}
        return values


class OctreeSection(_Section):
    """The octree itself.

    Attributes
    ----------
    enabled : bool
        Whether the plugin's reader opens files as OctreeImage layers.
    tile_size : int
        Texels per side of a tile (2-D). Unless it is given, a small image in memory is one tile.
    brick_size : int
        Texels per side of a brick (3-D).
    log_path : Path or None
        Where plans are logged; None for nowhere.
    reduction : {"mean", "nearest", "mode"}
        How coarser levels that nobody stored are made of the level below. Labels are never
        averaged: "mean" stands for "nearest" there; "mode" takes the most frequent label.
        (From memory they are taken pixel by pixel at first, whatever this says.)
    background_pyramid : bool
        While nothing else is to be done, compute the coarser levels of the slice in view that
        were taken pixel by pixel or from a sample, and show them instead.
    loaders : dict of int to LoaderConfig
        By level minus ideal level (positive is coarser): the greatest key that is not above
        it serves. See `OctreeConfig.loader`.
    """

    enabled: bool = True
    tile_size: int = Field(default=256, ge=16, le=4096)
    brick_size: int = Field(default=64, ge=8, le=512)
    log_path: Path | None = None
    reduction: Literal["mean", "nearest", "mode"] = "mean"
    background_pyramid: bool = False
    loaders: dict[int, LoaderConfig] = Field(
        default_factory=lambda: {
            0: LoaderConfig(delay_queue_ms=100),
            2: LoaderConfig(delay_queue_ms=0),
        },
        min_length=1,
    )

    @property
    def given_tile_size(self) -> int | None:
        """`tile_size` if somebody has chosen it; None: each image has the one that suits it."""
        return self.tile_size if "tile_size" in self.model_fields_set else None


class MemorySection(_Section):
    """Bounds of memory, each summed over all layers and viewers of the process.

    Attributes
    ----------
    ram_bytes : int
        Cached chunks and everything in flight.
    vram_bytes : int
        Textures of all atlases.
    disk_bytes : int
        Cache on disk; 0 for none.
    disk_path : Path or None
        Its folder; None for the user's cache folder.
    edits_bytes : int
        What was painted on the labels of a layer; what is beyond lies on disk. (This one is of
        each layer.)
    edits_path : Path or None
        Folder for what was painted and is not saved; None for the user's cache folder.
    """

    ram_bytes: int = Field(default_factory=default_ram_bytes, ge=MEBIBYTE)
    vram_bytes: int = Field(default=512 * MEBIBYTE, ge=MEBIBYTE)
    disk_bytes: int = Field(default=0, ge=0)
    disk_path: Path | None = None
    edits_bytes: int = Field(default=256 * MEBIBYTE, ge=MEBIBYTE)
    edits_path: Path | None = None


class PrefetchConfig(_Section):
    """What is read before it is asked for, when nothing else is wanted.

    Attributes
    ----------
    slices : int
        Neighbouring slices on either side along the axis that was moved last.
    ring : int
        Rings of tiles around the visible ones.
    """

    slices: int = Field(default=2, ge=0)
    ring: int = Field(default=1, ge=0)


class RenderSection(_Section):
    """What a frame may cost, and how fine it is.

    Attributes
    ----------
    upload_ms : float
        Time per frame for uploads while the view rests.
    upload_ms_moving : float
        The same while the view moves.
    fade_ms : float
        2-D: how long a tile that replaces a coarser one takes to fade in; 0: it appears at once.
        A picture is settled when all of it has.
    export_timeout_s : float
        How long an exported picture (figure, region, scaled screenshot) waits for its pixels.
    level_bias : float
        Levels added to the ideal level: 1 is coarser by one level, -1 finer.
    interpolation_apron : int
        Texels kept around each tile for interpolation. 1 serves nearest and linear;
        4 covers every kernel of vispy at 5% more memory, so that changing the interpolation
        uploads nothing.
    skip_empty : bool
        3-D: do not refine a brick of one value that the display settings do not show.
        What its level is too coarse to tell is then not looked for.
    channels_together : bool
        Channels of one OME-Zarr image show each new tile in the same frame.
    points : int
        Points that a view of an `OctreePoints` draws at most. Where there are more, it shows a
        fair sample of them; while it moves, as many as come in time.
    collect_when_idle : bool
        While octree layers are shown, Python's garbage collector does its long work when nothing
        moves. See `rendering.canvas.idle_collector`.
    prefetch : PrefetchConfig
    """

    upload_ms: float = Field(default=5.0, gt=0)
    upload_ms_moving: float = Field(default=3.0, gt=0)
    fade_ms: float = Field(default=0.0, ge=0, le=100)
    export_timeout_s: float = Field(default=30.0, ge=0, le=86_400)
    level_bias: float = Field(default=0.0, ge=-8, le=8)
    interpolation_apron: int = Field(default=4, ge=1, le=8)
    skip_empty: bool = True
    channels_together: bool = True
    points: int = Field(default=1_000_000, ge=1000, le=100_000_000)
    collect_when_idle: bool = True
    prefetch: PrefetchConfig = Field(default_factory=PrefetchConfig)


class OctreeConfig(_Section):
    """The whole configuration.

    Attributes
    ----------
    loader_defaults : LoaderDefaults
    octree : OctreeSection
    memory : MemorySection
    render : RenderSection

    Examples
    --------
    >>> OctreeConfig(octree={"tile_size": 128}).octree.tile_size
    128
    """

    loader_defaults: LoaderDefaults = Field(default_factory=LoaderDefaults)
    octree: OctreeSection = Field(default_factory=OctreeSection)
    memory: MemorySection = Field(default_factory=MemorySection)
    render: RenderSection = Field(default_factory=RenderSection)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> OctreeConfig:
        """Read a JSON file.

        Raises
        ------
        ConfigError
            The file cannot be read, is not JSON, or a key or value is wrong; the message
            has one line per problem and names the file and the key.
        """
        path = Path(path).expanduser()
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigError(f"{path}: not JSON: {error}") from error
        return cls.from_values(values, origin=str(path))

    @classmethod
    def from_values(cls, values: Any, origin: str) -> OctreeConfig:
        """Validate a nested mapping; `origin` names it in messages.

        Raises
        ------
        ConfigError
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"{origin}: must be an object with keys, not {values!r:.60}")
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError("\n".join(_problems(error, origin))) from error

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> OctreeConfig:
        """Follow the variable `NAPARI_OCTREE`: 0 (off), 1 (on) or the path of a JSON file.

        Raises
        ------
        ConfigError
        """
        value = (os.environ if environ is None else environ).get(ENVIRONMENT_VARIABLE, "").strip()
        if value in ("", "1"):
            return cls()
        if value == "0":
            return cls(octree=OctreeSection(enabled=False))
        try:
            return cls.from_file(value)
        except ConfigError as error:
            raise ConfigError(f"{ENVIRONMENT_VARIABLE}={value}: {error}") from error

    def loader(self, relative_level: int) -> LoaderConfig:
        """Return the loader for chunks `relative_level` levels coarser than the ideal one.

        Every field is filled in. Levels below the smallest key use the smallest key.
        """
        loaders = self.octree.loaders
        key = max((k for k in loaders if k <= relative_level), default=min(loaders))
        defaults = self.loader_defaults.model_dump(include=set(LoaderConfig.model_fields))
        return LoaderConfig(**defaults | loaders[key].model_dump(exclude_none=True))
