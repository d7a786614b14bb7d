"""The former place of `napari_octree.sources.derived.reduction`, for scripts that import it."""

from napari_octree.sources.derived.reduction import reduce_mean

__all__ = ["reduce_mean"]
