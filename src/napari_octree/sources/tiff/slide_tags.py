"""Pixel sizes, channels and magnification of slides, as each maker's scanner writes them.

Invariants: pure; called by `tags`, which takes what raises here for "nothing is known".
Lengths are in micrometres.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import tifffile

from napari_octree.sources.ome_zarr.metadata.model import Channel
from napari_octree.sources.tiff.facts import Facts, hexadecimal, length, number, text

SOURCE_LENS = 65421
"""Hamamatsu's tag of a page's magnification."""

XMP = 700
"""The tag in which Ventana's scanners write XML."""


def aperio(page: Any) -> Facts:
    """SVS: text with MPP and AppMag."""
    said = tifffile.tifffile.svs_description_metadata(page.description)
    return Facts(_square(said.get("MPP")), (), length(said.get("AppMag")))


def akoya(series: Any) -> Facts:
    """QPTIFF: XML of each channel's page."""
    channels = []
    magnification = None
    for page in series.pages:
        said_text = page.aspage().description if hasattr(page, "aspage") else page.description
        said = next(iter(tifffile.xml2dict(_without_declaration(said_text)).values()))
        color = None
        parts = str(said.get("Color", "")).split(",")
        if len(parts) == 3:
            color = hexadecimal([int(part) for part in parts])
        channels.append(Channel(text(said.get("Biomarker") or said.get("Name")), color))
        magnification = magnification or length(said.get("Objective"))
    return Facts({}, tuple(channels), magnification)


def hamamatsu(page: Any) -> Facts:
    """NDPI: a tag of its own; the size of pixels is in the usual ones."""
    return Facts({}, (), length(page.tags.valueof(SOURCE_LENS)))


def philips(tiff: tifffile.TiffFile) -> Facts:
    """Philips TIFF: spacing in millimetres of each level, the finest first."""
    tree = ElementTree.fromstring(tiff.philips_metadata or "")
    for element in tree.iter("Attribute"):
        if element.get("Name") == "DICOM_PIXEL_SPACING" and element.text:
            rows, columns = (1000 * float(v) for v in element.text.replace('"', "").split())
            return Facts({"y": rows, "x": columns})
    return Facts()


def leica_overviews(tiff: tifffile.TiffFile) -> tuple[int, ...]:
    """SCN: which images are pictures of the whole slide; none if there is nothing else."""
    try:
        tree = ElementTree.fromstring(tiff.scn_metadata or "")
        collection: Any = tree.find(".//{*}collection")
        whole = tuple(collection.get(f"size{axis}") for axis in "XY")
        views: list[Any] = [image.find("{*}view") for image in tree.findall(".//{*}image")]
        found = tuple(
            number
            for number, view in enumerate(views)
            if tuple(view.get(f"size{axis}") for axis in "XY") == whole
            and all(int(view.get(f"offset{axis}", 0)) == 0 for axis in "XY")
        )
    except (AttributeError, TypeError, ValueError, ElementTree.ParseError):
        return ()
    return found if len(found) < len(views) else ()


def leica(tiff: tifffile.TiffFile, series: int) -> Facts:
    """SCN: extent and place of each image in nanometres."""
    tree = ElementTree.fromstring(tiff.scn_metadata or "")
    image: Any = tree.findall(".//{*}image")[series]
    pixels, view = image.find("{*}pixels"), image.find("{*}view")
    sizes = {
        axis: float(view.get(f"size{axis.upper()}"))
        / float(pixels.get(f"size{axis.upper()}"))
        / 1e3
        for axis in "xy"
    }
    objective = image.find(".//{*}objective")
    places = {
        axis: (number(view.get(f"offset{axis.upper()}")) or 0.0) / 1e3 + size / 2
        for axis, size in sizes.items()
    }
    lens = None if objective is None else length(objective.text)
    return Facts(sizes, (), lens, places)


def ventana(tiff: tifffile.TiffFile) -> Facts:
    """BIF: XML of the label's page."""
    for tree in _ventana_documents(tiff):
        scan = next(tree.iter("iScan"), None)
        if scan is not None:
            return Facts(_square(scan.get("ScanRes")), (), length(scan.get("Magnification")))
    return Facts()


def ventana_overlaps(tiff: tifffile.TiffFile) -> bool:
    """BIF: whether neighbouring tiles show some pixels twice."""
    try:
        return any(
            (number(joint.get("OverlapX")) or 0) != 0 or (number(joint.get("OverlapY")) or 0) != 0
            for tree in _ventana_documents(tiff)
            for joint in tree.iter("TileJointInfo")
        )
    except ElementTree.ParseError:
        return False


def _ventana_documents(tiff: tifffile.TiffFile) -> Iterator[ElementTree.Element]:
    for page in tiff.pages:
        xml = page.aspage().tags.valueof(XMP)
        if xml is not None:
            yield ElementTree.fromstring(bytes(xml).decode("utf-8", "replace").rstrip("\0"))


def _square(value: Any) -> dict[str, float]:
    size = length(value)
    return {} if size is None else {"x": size, "y": size}


def _without_declaration(said: str) -> str:
    """XML without the line that names an encoding: the text is decoded already."""
    said = said.lstrip("\ufeff \n")
    return said.partition("?>")[2] if said.startswith("<?xml") else said
