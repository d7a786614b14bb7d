"""Small documents of every kind and version of OME-Zarr, to be opened, mutated and written.

Arrays are named "0", "1", "2" and have 3 axes (c, y, x) of 2 × 64 × 64, 2 × 32 × 32, 2 × 16 × 16.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

AXES = [
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
OMERO = {
    "name": "cells",
    "rdefs": {"model": "color"},
    "channels": [
        {
            "label": "DAPI",
            "color": "0000FF",
            "active": True,
            "window": {"start": 0, "end": 200, "min": 0, "max": 255},
        },
        {"label": "GFP", "color": "00FF00", "active": False, "inverted": False},
    ],
}


def scale(*numbers: float) -> Document:
    return {"type": "scale", "scale": [*numbers]}


def translation(*numbers: float) -> Document:
    return {"type": "translation", "translation": [*numbers]}


def levels() -> list[Document]:
    return [
        {"path": str(k), "coordinateTransformations": [scale(1, 0.5 * 2**k, 0.5 * 2**k)]}
        for k in range(3)
    ]


def image_01() -> Document:
    datasets = [{"path": str(k)} for k in range(3)]
    return {"multiscales": [{"version": "0.1", "name": "old", "datasets": datasets}]}


def image_03() -> Document:
    datasets = [{"path": str(k)} for k in range(3)]
    image = {"version": "0.3", "axes": ["c", "y", "x"], "datasets": datasets}
    return {"multiscales": [image], "omero": OMERO}


def image_04() -> Document:
    image = {
        "version": "0.4",
        "name": "cells",
        "axes": AXES,
        "datasets": levels(),
        "coordinateTransformations": [scale(1, 2, 2), translation(0, 10, 20)],
    }
    return {"multiscales": [image], "omero": OMERO}


def image_05() -> Document:
    image = {"name": "cells", "axes": AXES, "datasets": levels()}
    return {"ome": {"version": "0.5", "multiscales": [image], "omero": OMERO}}


def system(name: str, axes: list[Document] | None = None) -> Document:
    return {"name": name, "axes": AXES if axes is None else axes}


def levels_06(output: str = "physical") -> list[Document]:
    return [
        {
            "path": str(k),
            "coordinateTransformations": [
                {
                    "type": "sequence",
                    "input": {"path": str(k)},
                    "output": {"name": output},
                    "transformations": [
                        scale(1, 0.5 * 2**k, 0.5 * 2**k),
                        translation(0, (2**k - 1) / 4, (2**k - 1) / 4),
                    ],
                }
            ],
        }
        for k in range(3)
    ]


def between(document: Document, start: str, end: str) -> Document:
    return {**document, "input": {"name": start}, "output": {"name": end}, "name": f"to {end}"}


def image_06(*transformations: Document) -> Document:
    """An image whose transformations lead from "physical" to "world"."""
    edges = [between(each, "physical", "world") for each in transformations]
    image = {
        "name": "cells",
        "coordinateSystems": [system("world"), system("physical")],
        "datasets": levels_06(),
        "coordinateTransformations": edges,
    }
    return {"ome": {"version": "0.6", "multiscales": [image], "omero": OMERO}}


ROTATION = {"type": "rotation", "rotation": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}
AFFINE = {"type": "affine", "affine": [[1, 0, 0, 0], [0, 2, 0.5, 3], [0, 0.25, 1, 4]]}
MAP_AXIS = {"type": "mapAxis", "mapAxis": [0, 2, 1]}
SEQUENCE = {"type": "sequence", "transformations": [ROTATION, translation(0, 5, 6)]}
BY_DIMENSION = {
    "type": "byDimension",
    "transformations": [
        {"transformation": {"type": "identity"}, "inputAxes": [0], "outputAxes": [0]},
        {"transformation": scale(2), "inputAxes": [2], "outputAxes": [1]},
        {"transformation": translation(-3), "inputAxes": [1], "outputAxes": [2]},
    ],
}
BIJECTION = {
    "type": "bijection",
    "forward": {"type": "displacements", "path": "field"},
    "inverse": {"type": "displacements", "path": "inverse"},
}
PROJECTION = {"type": "projectAxis", "droppedInputs": [0], "createdOutputs": [0]}
BY_PATH = {"type": "affine", "path": "matrix"}


def scene_06() -> Document:
    def of(path: str, document: Document) -> Document:
        start = {"path": path, "name": "physical"}
        return {**document, "input": start, "output": {"name": "world"}}

    scene = {
        "coordinateSystems": [system("world")],
        "coordinateTransformations": [
            of("image", translation(0, 0, 0)),
            of("other", translation(0, 0, 40)),
        ],
    }
    return {"ome": {"version": "0.6", "scene": scene}}


def label() -> Document:
    image = {"version": "0.4", "axes": AXES, "datasets": levels()}
    colours = [{"label-value": 1, "rgba": [255, 0, 0, 255]}, {"label-value": 2}]
    properties = [{"label-value": 1, "area": 12.5, "class": "cell"}]
    about = {"version": "0.4", "colors": colours, "properties": properties}
    return {"multiscales": [image], "image-label": {**about, "source": {"image": "../../"}}}


def labels() -> Document:
    return {"labels": ["cells"]}


def series() -> Document:
    return {"bioformats2raw.layout": 3}


def plate() -> Document:
    wells = [{"path": f"A/{n + 1}", "rowIndex": 0, "columnIndex": n} for n in range(2)]
    columns = [{"name": "1"}, {"name": "2"}]
    about = {"version": "0.4", "rows": [{"name": "A"}], "columns": columns, "wells": wells}
    return {"plate": {**about, "acquisitions": [{"id": 0, "name": "first"}], "field_count": 1}}


def well() -> Document:
    return {"well": {"version": "0.4", "images": [{"path": "0", "acquisition": 0}]}}


KINDS: dict[str, Document] = {
    "image 0.1": image_01(),
    "image 0.3": image_03(),
    "image 0.4": image_04(),
    "image 0.5": image_05(),
    "image 0.6": image_06(ROTATION, AFFINE),
    "image 0.6, axes mapped": image_06(MAP_AXIS),
    "image 0.6, sequence": image_06(SEQUENCE),
    "image 0.6, by dimension": image_06(BY_DIMENSION),
    "image 0.6, bijection": image_06(BIJECTION),
    "image 0.6, projection": image_06(PROJECTION),
    "image 0.6, by path": image_06(BY_PATH),
    "scene 0.6": scene_06(),
    "label": label(),
    "labels": labels(),
    "series": series(),
    "plate": plate(),
    "well": well(),
}
