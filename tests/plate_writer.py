"""Plates as programs write them, one field after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

RNG = np.random.default_rng(0)


def attributes(version: str, content: dict[str, Any]) -> dict[str, Any]:
    """As this version keeps them: below "ome" since 0.5."""
    if version >= "0.5":
        return {"ome": {"version": version, **content}}
    return {k: {"version": version, **v} if isinstance(v, dict) else v for k, v in content.items()}


class PlateWriter:
    """Writes a plate; `pixels[well, field]` are the finest levels."""

    def __init__(self, path: Path, version: str = "0.4") -> None:
        self.path = path
        self.version = version
        self.format = 3 if version >= "0.5" else 2
        self.pixels: dict[tuple[str, str], np.ndarray] = {}

    def group(self, path: str, content: dict[str, Any]) -> None:
        group = zarr.open_group(self.path / path, mode="a", zarr_format=self.format)
        group.attrs.update(attributes(self.version, content))

    def plate(self, wells: list[str], rows: str = "AB", columns: str = "12", **more: Any) -> None:
        listed = [
            {"path": w, "rowIndex": rows.index(w[0]), "columnIndex": columns.index(w[-1])}
            for w in wells
        ]
        names = {"rows": [{"name": n} for n in rows], "columns": [{"name": n} for n in columns]}
        self.group("", {"plate": {**names, "wells": listed, **more}})

    def well(self, well: str, fields: list[str], acquisitions: list[int] | None = None) -> None:
        images: list[dict[str, Any]] = [{"path": field} for field in fields]
        for image, acquisition in zip(images, acquisitions or [], strict=False):
            image["acquisition"] = acquisition
        self.group(well, {"well": {"images": images}})

    def field(
        self, well: str, field: str, data: np.ndarray, levels: int = 2, scale: float = 0.5,
        translation: tuple[float, float] | None = None, chunk: int = 16,
    ) -> None:  # fmt: skip
        path = f"{well}/{field}".lstrip("/")
        axes = "tczyx"[-data.ndim :]
        datasets = []
        for level in range(levels):
            array = data[..., :: 2**level, :: 2**level]
            chunks = (1,) * (data.ndim - 2) + (chunk, chunk)
            zarr.create_array(
                self.path / path / f"{level}", data=np.ascontiguousarray(array), chunks=chunks,
                zarr_format=self.format, overwrite=True,
            )  # fmt: skip
            steps = [1.0] * (data.ndim - 2) + [scale * 2**level] * 2
            transformations: list[dict] = [{"type": "scale", "scale": steps}]
            if translation is not None:
                shift = [0.0] * (data.ndim - 2) + list(translation)
                transformations.append({"type": "translation", "translation": shift})
            datasets.append({"path": f"{level}", "coordinateTransformations": transformations})
        types = {"t": "time", "c": "channel"}
        named = [{"name": a, "type": types.get(a, "space")} for a in axes]
        image = {"axes": named, "datasets": datasets, "version": self.version}
        self.group(path, {"multiscales": [image]})
        self.pixels[well, field] = data


def noise(shape: tuple[int, ...] = (32, 48), dtype: str = "u2") -> np.ndarray:
    return RNG.integers(1, 200, shape).astype(dtype)
