"""The former place of `napari_octree.sources.ome_zarr.metadata`, for scripts that import it."""

from napari_octree.sources.ome_zarr.metadata import OmeZarrWarning

__all__ = ["OmeZarrWarning"]
